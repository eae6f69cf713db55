{{/* What closes the registry. */}}

{{/* Who has a login there, by noun, and with which role: only the deployer writes. As JSON. */}}
{{- define "osaga.registryUsers" -}}
{{- $users := dict "deployer" "sr-admin" "operators" "sr-readonly" }}
{{- range $noun, $_ := .Values.services }}{{ $_ := set $users $noun "sr-readonly" }}{{ end }}
{{- if .Values.console.enabled }}{{ $_ := set $users "console" "sr-readonly" }}{{ end }}
{{- toJson $users }}
{{- end }}

{{/* HTTPS alone, and a login for each client. Passwords come from variables. */}}
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
apicurio.kafka.common.security.protocol=${KAFKA_SECURITY_PROTOCOL:PLAINTEXT}
apicurio.kafka.common.sasl.mechanism=${KAFKA_SASL_MECHANISM:SCRAM-SHA-512}
apicurio.kafka.common.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="${KAFKA_SASL_USERNAME:}" password="${KAFKA_SASL_PASSWORD:}";
apicurio.kafka.common.ssl.truststore.type=PEM
apicurio.kafka.common.ssl.truststore.location=${KAFKA_SSL_CA_LOCATION:/tls/ca.crt}
{{- end }}
