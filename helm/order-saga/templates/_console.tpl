{{/* The variables of the console that the chart itself sets: dict "root" $ "noun" "console" "own" its values. It looks at Kafka as
itself, and sends dead letters again as the replay. */}}
{{- define "osaga.consoleVariables" -}}
{{- $values := .root.Values }}
- {name: CONSOLE_LISTEN, value: "[::]:8088"}
- {name: CONSOLE_HOSTS, value: {{ compact (list "localhost" "127.0.0.1" (include "osaga.name" (dict "root" .root "part" "console")) (urlParse .own.publicUrl).hostname) | join "," | quote }}}
- {name: CONSOLE_ENVIRONMENT, value: {{ .own.environment | default (trunc 30 .root.Release.Name) | quote }}}
- {name: CONSOLE_TLS_CERTIFICATE, value: /tls/tls.crt}
- {name: CONSOLE_TLS_KEY, value: /tls/tls.key}
{{ include "osaga.passwordVariable" (merge (dict "key" "session" "variable" "CONSOLE_SECRET") .) }}
- {name: AUTH_MODE, value: {{ $values.auth.mode }}}
{{- if eq $values.auth.mode "none" }}
- {name: AUTH_NONE_ACKNOWLEDGED, value: "yes"} # NOTES.txt says what that means
{{- end }}
{{- with .own.oidc }}
{{- if .issuer }}
- {name: CONSOLE_OIDC_ISSUER, value: {{ .issuer | quote }}}
- {name: CONSOLE_OIDC_CLIENT_ID, value: {{ .clientId | quote }}}
- {name: CONSOLE_OIDC_SCOPE, value: {{ .scope | quote }}}
{{- if .existingSecret }}
- name: CONSOLE_OIDC_CLIENT_SECRET
  valueFrom:
    secretKeyRef: {name: {{ .existingSecret }}, key: clientSecret}
{{- end }}
{{- end }}
{{- end }}
{{ include "osaga.callsServices" .root }}
{{- range $noun, $differs := $values.services }}
{{- $service := mergeOverwrite (deepCopy $values.serviceDefaults) $differs }}
- {name: {{ upper $noun }}_SVC_METRICS, value: "{{ $.root.Release.Name }}-{{ $noun }}-{{ eq $service.service.type "ClusterIP" | ternary "svc" "metrics" }}:9101"}
{{- end }}
- {name: METRICS_TLS_CA, value: /tls/ca.crt}
- {name: METRICS_TLS_CERTIFICATE, value: /tls/tls.crt} # for services that want one
- {name: METRICS_TLS_KEY, value: /tls/tls.key}
{{ include "osaga.kafkaClient" . }}
{{- if $values.kafka.enabled }}
- {name: CONSOLE_REPLAY_USERNAME, value: replay}
{{ include "osaga.passwordVariable" (dict "root" .root "noun" "replay" "key" "kafka" "variable" "CONSOLE_REPLAY_PASSWORD") }}
{{- else if contains "*" $values.kafka.external.settingsSecret }}
{{- range $part := list "USERNAME" "PASSWORD" }}
- name: CONSOLE_REPLAY_{{ $part }}
  valueFrom:
    secretKeyRef: {name: {{ $values.kafka.external.settingsSecret | replace "*" "replay" }}, key: KAFKA_SASL_{{ $part }}, optional: true}
{{- end }}
{{- end }}
{{ include "osaga.registryClient" . }}
- {name: LOG_LEVEL, value: {{ $values.logLevel }}}
- {name: LOG_FORMAT, value: json}
{{- end }}
