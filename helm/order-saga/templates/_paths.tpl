{{/*
Who talks to whom, and at which ports: for each part "to" and "from", as YAML. A path without "parts" leads to anywhere,
or comes from anywhere, or goes to the "peers" that the values name and comes from those: servers outside of the release, and callers.
*/}}
{{- define "osaga.paths" -}}
{{- $services := splitList " " (include "osaga.services" .) }}
{{- $shown := ternary (list "console") list .Values.console.enabled }}
{{- $clients := concat $services (list "operators") $shown }}
{{- $list := list }}
{{- $outside := .Values.networkPolicies.servers }}
{{- if .Values.kafka.enabled }}
{{- $list = append $list (dict "of" (append $clients "registry") "to" "kafka" "port" 9092) }}
{{- $list = append $list (dict "of" (list "contracts") "to" "kafka" "port" 9094) }}
{{- range $port := list 9093 9094 9095 }}{{ $list = append $list (dict "of" (list "kafka") "to" "kafka" "port" $port) }}{{ end }}
{{- else }}
{{- range $port := .Values.kafka.external.bootstrapServers | splitList "," }}
{{- $list = append $list (dict "of" (concat $clients (list "registry" "contracts")) "port" (splitList ":" $port | last | int) "peers" $outside.kafka) }}
{{- end }}
{{- end }}
{{- if .Values.registry.enabled }}
{{- $list = append $list (dict "of" (append $clients "contracts") "to" "registry" "port" 8443) }}
{{- else }}
{{- $list = append $list (dict "of" (append $clients "contracts") "port" (include "osaga.portOf" .Values.registry.external.url | int) "peers" $outside.registry) }}
{{- end }}
{{- if .Values.postgres.enabled }}
{{- $list = append $list (dict "of" $services "to" "postgres" "port" 5432) }}
{{- else }}
{{- $list = append $list (dict "of" $services "port" (int .Values.networkPolicies.databasePort) "peers" $outside.databases) }}
{{- end }}
{{- range $service := $services }}
{{- $list = append $list (dict "of" (concat (list "operators" "test") $shown) "to" $service "port" 50051) }}
{{- $list = append $list (dict "of" $shown "to" $service "port" 9101) }}
{{- end }}
{{- with .Values.console.oidc.issuer }}
{{- $list = append $list (dict "of" $shown "port" (include "osaga.portOf" . | int) "peers" $outside.issuers) }}
{{- end }}
{{- if .Values.auth.jwksUrl }}
{{- $list = append $list (dict "of" $services "port" (include "osaga.portOf" .Values.auth.jwksUrl | int) "peers" $outside.issuers) }}
{{- end }}
{{- with .Values.tracing.endpoint }}
{{- $list = append $list (dict "of" $services "port" (include "osaga.portOf" . | int) "peers" $outside.collector) }}
{{- end }}
{{- $parts := dict }}
{{- range $part := concat $clients (list "contracts" "test") }}{{ $_ := set $parts $part (dict "to" list "from" list) }}{{ end }}
{{- range $part := list "kafka" "registry" "postgres" }}
{{- if (index $.Values $part).enabled }}{{ $_ := set $parts $part (dict "to" list "from" list) }}{{ end }}
{{- end }}
{{- range $path := $list }}
{{- $ports := list (dict "port" $path.port) }}
{{- range $of := $path.of }}
{{- with index $parts $of }}
{{- $_ := set . "to" (append .to (dict "ports" $ports "parts" (ternary (list $path.to) list (hasKey $path "to")) "peers" $path.peers)) }}
{{- end }}
{{- end }}
{{- if hasKey $path "to" }}
{{- with index $parts $path.to }}{{ $_ := set . "from" (append .from (dict "ports" $ports "parts" $path.of)) }}{{ end }}
{{- end }}
{{- end }}
{{- range $noun, $differs := .Values.services }}
{{- $peers := dict "50051" (mergeOverwrite (deepCopy $.Values.serviceDefaults) $differs).callers "9101" $.Values.networkPolicies.metricsReaders }}
{{- with $own := index $parts (printf "%s-svc" $noun) }}
{{- range $port, $peers := $peers }}{{ $_ := set $own "from" (append $own.from (dict "ports" (list (dict "port" (int $port))) "peers" $peers)) }}{{ end }}
{{- end }}
{{- end }}
{{- with .Values.console.callers }}
{{- with $parts.console }}{{ $_ := set . "from" (list (dict "ports" (list (dict "port" 8088)) "peers" $.Values.console.callers)) }}{{ end }}
{{- end }}
{{- $byLag := false }}
{{- range $noun, $differs := .Values.services }}
{{- if eq (mergeOverwrite (deepCopy $.Values.serviceDefaults) $differs).autoscaling.by "lag" }}{{ $byLag = true }}{{ end }}
{{- end }}
{{- if and $byLag .Values.kafka.enabled }}
{{- with $parts.kafka }}{{ $_ := set . "from" (append .from (dict "ports" (list (dict "port" 9092)) "namespace" "keda")) }}{{ end }}
{{- end }}
{{- toYaml $parts }}
{{- end }}

{{/* The port of a URL. */}}
{{- define "osaga.portOf" -}}
{{- $url := urlParse . }}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" }}
{{- $port | default (ternary "443" "80" (eq $url.scheme "https")) }}
{{- end }}
