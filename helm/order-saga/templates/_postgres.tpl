{{/* What closes PostgreSQL. */}}

{{/*
What the databases have to be. It is run at each start, so that one that was left half made is finished, and passwords
are what the secret says also where the volume is older than the secret. The services divide four fifths of the sessions:
so what is left to owners, who migrate, and to whoever looks after the server is theirs even if every service is taken over.
*/}}
{{- define "osaga.databases" -}}
{{- $nouns := keys (.Values.services | default dict) | sortAlpha }}{{/* none where the values are old: checks.yaml says so */}}
{{- $sessions := include "osaga.share" . | int -}}
SET log_min_error_statement = panic; -- else the log would have the password in a statement that fails
\getenv password PASSWORD_superuser
ALTER ROLE postgres PASSWORD :'password';
REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;
{{- range $nouns }}
{{- $options := dict "owner" "" "database" (printf " CONNECTION LIMIT %d" $sessions) }}
{{- range $key, $role := dict "owner" (printf "%s_svc" .) "database" (printf "%s_svc_runtime" .) }}
\getenv password PASSWORD_{{ $role }}
SELECT 'CREATE ROLE {{ $role }} LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{{ $role }}') \gexec
ALTER ROLE {{ $role }}{{ index $options $key }} PASSWORD :'password';
{{- end }}
GRANT {{ . }}_svc_runtime TO {{ . }}_svc; -- so that the owner may end the service's sessions
SELECT 'CREATE DATABASE {{ . }}_svc OWNER {{ . }}_svc'
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{{ . }}_svc') \gexec
REVOKE ALL ON DATABASE {{ . }}_svc FROM PUBLIC;
{{- end }}
{{- end }}

{{/* The connections that a service may have, all its replicas together. */}}
{{- define "osaga.share" -}}
{{- div (mul .Values.postgres.maxConnections 4) (mul 5 (max 1 (len (.Values.services | default dict)))) }}
{{- end }}

{{/* Who may log in from where. */}}
{{- define "osaga.databaseLogins" -}}
# Inside of the pod whoever is there; from elsewhere nobody without TLS and a password.
local all all trust
hostssl all all all scram-sha-256
{{- end }}
