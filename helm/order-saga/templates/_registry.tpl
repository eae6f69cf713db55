{{/* What closes the registry. */}}

{{/* Who has a login there, by noun, and with which role: only the deployer writes. As JSON. */}}
{{- define "osaga.registryUsers" -}}
{{- $users := dict "deployer" "sr-admin" "operators" "sr-readonly" }}
{{- range $noun, $_ := .Values.services }}{{ $_ := set $users $noun "sr-readonly" }}{{ end }}
{{- if .Values.console.enabled }}{{ $_ := set $users "console" "sr-readonly" }}{{ end }}
{{- toJson $users }}
{{- end }}

{{/* HTTPS alone, and a login for each client. Passwords come from variables; files/let_in.py writes how it reaches Kafka. */}}
{{- define "osaga.registryProperties" -}}
quarkus.http.insecure-requests=disabled
quarkus.http.ssl-port=8443
quarkus.http.ssl.certificate.files=/tls/tls.crt
quarkus.http.ssl.certificate.key-files=/tls/tls.key
quarkus.http.ssl.certificate.reload-period=30s
quarkus.management.ssl.certificate.files=/tls/tls.crt
quarkus.management.ssl.certificate.key-files=/tls/tls.key
quarkus.management.ssl.certificate.reload-period=30s
quarkus.http.auth.basic=true
quarkus.security.users.embedded.plain-text=true
{{- range $noun, $role := include "osaga.registryUsers" . | fromJson }}
{{- $name := include "osaga.principal" (dict "noun" $noun) }}
quarkus.security.users.embedded.users.{{ $name }}=${PASSWORD_{{ $noun }}}
quarkus.security.users.embedded.roles.{{ $name }}={{ $role }}
{{- end }}
apicurio.auth.role-based-authorization=true
{{- end }}
