{{/* The variables of a service that the chart itself sets. */}}

{{/* dict "root" $ "noun" "order" "own" its values */}}
{{- define "osaga.serviceVariables" -}}
{{ include "osaga.kafkaClient" . }}
{{ include "osaga.registryClient" . }}
{{ include "osaga.database" (merge (dict "key" "database") .) }}
- {name: GRPC_LISTEN, value: "[::]:50051"}
- {name: METRICS_LISTEN, value: "[::]:9101"}
- {name: HEALTH_LISTEN, value: "[::]:50052"} # kubelet's probes know no TLS
- {name: GRPC_TLS_CERTIFICATE, value: /tls/tls.crt}
- {name: GRPC_TLS_KEY, value: /tls/tls.key}
- {name: METRICS_TLS_CERTIFICATE, value: /tls/tls.crt}
- {name: METRICS_TLS_KEY, value: /tls/tls.key}
{{ include "osaga.callers" .root }}
- {name: LOG_LEVEL, value: {{ .root.Values.logLevel }}}
- {name: LOG_FORMAT, value: json}
{{- with .root.Values.tracing }}
{{- if .endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ .endpoint | quote }}}
- {name: OTEL_EXPORTER_OTLP_PROTOCOL, value: {{ .protocol }}}
- {name: OTEL_TRACES_SAMPLER, value: {{ .sampler }}}
- {name: OTEL_TRACES_SAMPLER_ARG, value: {{ .share | quote }}}
{{- end }}
{{- end }}
# For `ordersaga status`, by kubectl exec: its own, as a service's address leads to no pod that is halted.
- {name: ORDERSAGA_METRICS, value: "localhost:9101"}
- {name: METRICS_TLS_CA, value: /tls/ca.crt}
{{- end }}

{{/* The value of a setting: a number as it was given, where quote alone would write 5000000 as 5e+06, which is no integer. */}}
{{- define "osaga.setting" -}}
{{ kindIs "string" . | ternary . (toJson .) | quote }}
{{- end }}

{{/* Fails where the values at "path" set one of these once more: of two with one name, nobody can tell by the values which counts. */}}
{{- define "osaga.mayBeSet" -}}
{{- $ours := list }}
{{- range fromYamlArray .variables }}{{ $ours = append $ours .name }}{{ end }}
{{- range $name, $_ := .own.settings }}
{{- if has $name $ours }}
{{- fail (printf "%s.settings.%s%s: the chart sets it itself, by values of its own" $.path $name (hasPrefix "services." $.path | ternary ", or that of serviceDefaults" "")) }}
{{- end }}
{{- end }}
{{- end }}
