{{/* The services as parts: "delivery-svc order-svc". Their keys in the values lack "-svc". */}}
{{- define "osaga.services" -}}
{{- $parts := list }}
{{- range $noun, $_ := .Values.services }}{{ $parts = append $parts (printf "%s-svc" $noun) }}{{ end }}
{{- join " " $parts }}
{{- end }}

{{/* The parts that have pods, as JSON. */}}
{{- define "osaga.parts" -}}
{{- $parts := concat (splitList " " (include "osaga.services" .)) (list "operators" "contracts" "test") }}
{{- range $part := list "console" "kafka" "registry" "postgres" }}
{{- if (index $.Values $part).enabled }}{{ $parts = append $parts $part }}{{ end }}
{{- end }}
{{- toJson $parts }}
{{- end }}

{{/* The name of a part's objects: dict "root" $ "part" "order-svc" */}}
{{- define "osaga.name" -}}
{{ .root.Release.Name }}-{{ .part }}
{{- end }}

{{/* What a part's pods are found by. */}}
{{- define "osaga.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* The labels of a part's objects, and "labels" where they are given. Pods have the selector's only: a new chart version alone restarts nothing. */}}
{{- define "osaga.labels" -}}
{{ include "osaga.selector" . }}
app.kubernetes.io/version: {{ include "osaga.label" .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "osaga.label" }}
{{- with merge dict (.labels | default dict) .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A version as a label takes it, and an image's tag: it may have a "+", which neither does, and be longer. */}}
{{- define "osaga.label" -}}
{{ . | replace "+" "_" | trunc 63 | regexFind ".*[A-Za-z0-9]" }}
{{- end }}

{{/*
The head of an object of a part: dict "root" $ "part" "kafka", and where they are given "name", in place of the part's own, and
"labels" and "annotations" beside those of all objects.
*/}}
{{- define "osaga.metadata" -}}
metadata:
  name: {{ .name | default (include "osaga.name" .) }}
  namespace: {{ .root.Release.Namespace | quote }}
  labels: {{- include "osaga.labels" . | nindent 4 }}
  {{- with merge dict (.annotations | default dict) .root.Values.commonAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{/* The image of a service, or the console's: dict "root" $ "noun" "order" */}}
{{- define "osaga.image" -}}
{{ .root.Values.image.repository }}/{{ .noun }}-svc:{{ .root.Values.image.tag | default (include "osaga.label" .root.Chart.AppVersion) }}
{{- with index .root.Values.image.digests .noun }}@{{ . }}{{ end }}
{{- end }}

{{/* How the Kubernetes service of a service, or of the console, is reached: its values "service". */}}
{{- define "osaga.service" -}}
type: {{ .type }}
{{- range $name := list "loadBalancerClass" "loadBalancerSourceRanges" "externalTrafficPolicy" }}
{{- with index $ $name }}
{{ $name }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- end }}
