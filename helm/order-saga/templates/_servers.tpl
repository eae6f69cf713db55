{{/* How the project's own programs reach Kafka, the registry and PostgreSQL, and as whom. */}}

{{/* Where Kafka is, for those who log in. */}}
{{- define "osaga.bootstrap" -}}
{{- if .Values.kafka.enabled -}}
{{ .Release.Name }}-kafka:9092
{{- else -}}
{{ .Values.kafka.external.bootstrapServers }}
{{- end }}
{{- end }}

{{/* Where the registry is. */}}
{{- define "osaga.registry" -}}
{{- if .Values.registry.enabled -}}
https://{{ .Release.Name }}-registry:8443/apis/ccompat/v7
{{- else -}}
{{ .Values.registry.external.url }}
{{- end }}
{{- end }}

{{/* As whom a noun logs in to Kafka where it sends dead letters again as well, as JSON: dict "root" $ "noun" "operators" */}}
{{- define "osaga.withReplay" -}}
{{- $ownReplay := or .root.Values.kafka.enabled (contains "*" .root.Values.kafka.external.settingsSecret) }}
{{- prepend (ternary (list "replay") list $ownReplay) .noun | toJson }}
{{- end }}

{{/* The secrets with a noun's settings of external servers, of those in "of", as JSON: dict "root" $ "noun" "order" "of" (list "kafka") */}}
{{- define "osaga.settingsSecrets" -}}
{{- $secrets := list }}
{{- range $part := .of }}
{{- $own := index $.root.Values $part }}
{{- if and (not $own.enabled) $own.external.settingsSecret }}{{ $secrets = append $secrets ($own.external.settingsSecret | replace "*" $.noun) }}{{ end }}
{{- end }}
{{- toJson $secrets }}
{{- end }}

{{/*
The annotation that rolls a pod when these secrets, or the one with the address of its database, have changed, since they
are read at its start: dict "root" $ "nouns" (list "order") "of" (list "kafka"), for a service with "noun" and "own" its values,
and "others" with the names of other secrets. They are told apart by their versions.
*/}}
{{- define "osaga.settingsRead" -}}
{{- $secrets := compact (.others | default list) }}
{{- range $noun := .nouns }}
{{- $secrets = include "osaga.settingsSecrets" (dict "root" $.root "noun" $noun "of" $.of) | fromJsonArray | concat $secrets }}
{{- end }}
{{- if and .own (not .root.Values.postgres.enabled) }}{{ $secrets = append $secrets (.own.database.urlSecret | replace "*" .noun) }}{{ end }}
{{- $seen := list }}
{{- range $name := $secrets }}
{{- $found := lookup "v1" "Secret" $.root.Release.Namespace $name }}
{{- $seen = append $seen (dig "metadata" "resourceVersion" "" $found) }}
{{- end }}
{{- with $seen -}}
order-saga/settings: {{ join " " . | sha256sum | trunc 16 | quote }}
{{- end }}
{{- end }}

{{/*
The variables of a client of Kafka: dict "root" $ "noun" "order". A secret of an external Kafka has to name the protocol,
since clients would take PLAINTEXT for granted: where it does not, kubelet starts no container, and says which key it misses.
*/}}
{{- define "osaga.kafkaClient" -}}
- {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ include "osaga.bootstrap" .root | quote }}}
{{- if .root.Values.kafka.enabled }}
- {name: KAFKA_SECURITY_PROTOCOL, value: SASL_SSL}
- {name: KAFKA_SASL_MECHANISM, value: SCRAM-SHA-512}
- {name: KAFKA_SASL_USERNAME, value: {{ include "osaga.principal" . }}}
{{ include "osaga.passwordVariable" (merge (dict "key" "kafka" "variable" "KAFKA_SASL_PASSWORD") .) }}
- {name: KAFKA_SSL_CA_LOCATION, value: /tls/ca.crt}
{{- else if .root.Values.kafka.external.settingsSecret }}
- name: KAFKA_SECURITY_PROTOCOL
  valueFrom:
    secretKeyRef: {name: {{ .root.Values.kafka.external.settingsSecret | replace "*" .noun }}, key: KAFKA_SECURITY_PROTOCOL}
{{- end }}
{{- end }}

{{/* The variables of a client of the registry: dict "root" $ "noun" "order" */}}
{{- define "osaga.registryClient" -}}
- {name: SCHEMA_REGISTRY_URL, value: {{ include "osaga.registry" .root | quote }}}
{{- if .root.Values.registry.enabled }}
- {name: SCHEMA_REGISTRY_USERNAME, value: {{ include "osaga.principal" . }}}
{{ include "osaga.passwordVariable" (merge (dict "key" "registry" "variable" "SCHEMA_REGISTRY_PASSWORD") .) }}
- {name: SCHEMA_REGISTRY_CA_LOCATION, value: /tls/ca.crt}
{{- end }}
{{- end }}

{{/* The variables by which a service, or whoever migrates its database, reaches it: dict "root" $ "noun" "order" "own" its
values "key" "database" or "owner" */}}
{{- define "osaga.database" -}}
{{- if .root.Values.postgres.enabled -}}
{{- $database := printf "%s_svc" .noun }}
{{- $role := ternary $database (printf "%s_runtime" $database) (eq .key "owner") }}
{{ include "osaga.passwordVariable" (merge (dict "variable" "DATABASE_PASSWORD") .) }}
- name: DATABASE_URL
  value: postgresql://{{ $role }}:$(DATABASE_PASSWORD)@{{ .root.Release.Name }}-postgres:5432/{{ $database }}?sslmode=verify-full&sslrootcert=/tls/ca.crt
{{- if eq .key "owner" }}
- {name: DATABASE_RUNTIME_ROLE, value: {{ $database }}_runtime}
{{- end }}
{{- else -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ .own.database.urlSecret | replace "*" .noun }}, key: {{ .own.database.urlKey }}}
- {name: PGSSLMODE, value: require} # where the address says nothing of it, libpq would go on in the clear
{{- end }}
{{- end }}

{{/* The variables by which the command line reaches the services. */}}
{{- define "osaga.callsServices" -}}
{{- range $noun, $_ := .Values.services }}
- {name: {{ upper $noun }}_SVC_ADDRESS, value: "{{ $.Release.Name }}-{{ $noun }}-svc:50051"}
{{- end }}
- {name: GRPC_TLS_CA, value: /tls/ca.crt}
- {name: GRPC_TLS_CERTIFICATE, value: /tls/tls.crt} # for services that want one
- {name: GRPC_TLS_KEY, value: /tls/tls.key}
{{- end }}

{{/* The variables that say who may call a service. */}}
{{- define "osaga.callers" -}}
- {name: AUTH_MODE, value: {{ .Values.auth.mode }}}
{{- if eq .Values.auth.mode "jwt" }}
- {name: AUTH_ISSUER, value: {{ .Values.auth.issuer | quote }}}
- {name: AUTH_AUDIENCE, value: {{ .Values.auth.audience | quote }}}
{{- if .Values.auth.jwksSecret }}
- {name: AUTH_JWKS_FILE, value: /jwks/jwks.json}
{{- else }}
- {name: AUTH_JWKS_URL, value: {{ .Values.auth.jwksUrl | quote }}}
{{- end }}
- {name: AUTH_USER_CLAIM, value: {{ .Values.auth.userClaim | quote }}}
{{- else }}
- {name: AUTH_NONE_ACKNOWLEDGED, value: "yes"} # NOTES.txt says what that means
{{- end }}
{{- end }}
