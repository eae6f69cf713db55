{{/* Certificates: who has one, for which names, and in which secret it lies. */}}

{{/* By noun: the part that shows it, and the subject, which is who it is to Kafka. As JSON. */}}
{{- define "osaga.certified" -}}
{{- $who := dict "operators" (dict "part" "operators" "subject" "operators") }}
{{- range $noun, $_ := .Values.services }}
{{- $_ := set $who $noun (dict "part" (printf "%s-svc" $noun) "subject" (printf "%s_svc" $noun)) }}
{{- end }}
{{- if .Values.console.enabled }}{{ $_ := set $who "console" (dict "part" "console" "subject" "console") }}{{ end }}
{{- if .Values.kafka.enabled }}
{{- $_ := set $who "kafka" (dict "part" "kafka" "subject" "broker") }}
{{- $_ := set $who "deployer" (dict "part" "contracts" "subject" "deployer") }}
{{- end }}
{{- range $part := list "registry" "postgres" }}
{{- if (index $.Values $part).enabled }}{{ $_ := set $who $part (dict "part" $part "subject" $part) }}{{ end }}
{{- end }}
{{- toJson $who }}
{{- end }}

{{/* The host names of a part, as JSON: dict "root" $ "part" "kafka" */}}
{{- define "osaga.hosts" -}}
{{- $short := list (include "osaga.name" .) }}
{{- if eq .part "kafka" }}
{{- $nodes := printf "%s-nodes" (include "osaga.name" .) }}
{{- $short = append $short $nodes }}
{{- range $id := until 3 }}{{/* also of those that are added later */}}
{{- $short = append $short (printf "%s-kafka-%d.%s" $.root.Release.Name $id $nodes) }}
{{- end }}
{{- end }}
{{- range $noun, $differs := .root.Values.services }}
{{- if and (eq $.part (printf "%s-svc" $noun)) (ne (mergeOverwrite (deepCopy $.root.Values.serviceDefaults) $differs).service.type "ClusterIP") }}
{{- $short = append $short (printf "%s-%s-metrics" $.root.Release.Name $noun) }}
{{- end }}
{{- end }}
{{- $all := list "localhost" }}
{{- range $name := $short }}
{{- $within := printf "%s.%s" $name $.root.Release.Namespace }}
{{- $all = concat $all (list $name $within (printf "%s.svc" $within) (printf "%s.svc.cluster.local" $within)) }}
{{- end }}
{{- if and (eq .part "console") .root.Values.console.publicUrl (not (include "osaga.publicAddress" .root)) }}
{{- $all = append $all (urlParse .root.Values.console.publicUrl).hostname }}
{{- end }}
{{- toJson $all }}
{{- end }}

{{/* The IP addresses of a part beside the names of its hosts, as JSON: dict "root" $ "part" "kafka" */}}
{{- define "osaga.addresses" -}}
{{- $own := ternary (include "osaga.publicAddress" .root) "" (eq .part "console") }}
{{- compact (list "127.0.0.1" $own) | toJson }}
{{- end }}

{{/* The IP address in the console's public URL; empty where a name stands there. */}}
{{- define "osaga.publicAddress" -}}
{{- (urlParse .Values.console.publicUrl).hostname | regexFind "^([0-9]+[.]){3}[0-9]+$" }}
{{- end }}

{{/*
The secret with the certificate of a noun: dict "root" $ "noun" "order". cert-manager's have names of their own: it would take
a certificate that the chart has made for one of its own, and leave it where it is.
*/}}
{{- define "osaga.tlsSecret" -}}
{{- $made := printf "%s-*-%s" .root.Release.Name (empty .root.Values.tls.issuerRef | ternary "tls" "issued") }}
{{- .root.Values.tls.existingSecrets | default $made | replace "*" .noun }}
{{- end }}

