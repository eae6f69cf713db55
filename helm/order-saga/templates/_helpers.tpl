{{/* The services as parts: "delivery-svc order-svc". Their keys in the values lack "-svc". */}}
{{- define "osaga.services" -}}
{{- $parts := list }}
{{- range $noun, $_ := .Values.services }}{{ $parts = append $parts (printf "%s-svc" $noun) }}{{ end }}
{{- join " " $parts }}
{{- end }}

{{/* The name of a part's objects: dict "root" $ "part" "order-svc" */}}
{{- define "osaga.name" -}}
{{ .root.Release.Name }}-{{ .part }}
{{- end }}

{{/* What a part's pods are found by. */}}
{{- define "osaga.selector" -}}
app.kubernetes.io/name: {{ .root.Chart.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{/* The labels of a part's objects. Pods have the selector's only: a new chart version alone restarts nothing. */}}
{{- define "osaga.labels" -}}
{{ include "osaga.selector" . }}
app.kubernetes.io/version: {{ include "osaga.label" .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | include "osaga.label" }}
{{- end }}

{{/* A version as a label takes it, and an image's tag: it may have a "+", which neither does, and be longer. */}}
{{- define "osaga.label" -}}
{{ . | replace "+" "_" | trunc 63 | regexFind ".*[A-Za-z0-9]" }}
{{- end }}

{{/* The head of an object of a part: dict "root" $ "part" "kafka" "name" "…" (the part's own, where it is not given) */}}
{{- define "osaga.metadata" -}}
metadata:
  name: {{ .name | default (include "osaga.name" .) }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "osaga.labels" . | nindent 4 }}
{{- end }}

{{/* The image of a service, or the console's: dict "root" $ "noun" "order" */}}
{{- define "osaga.image" -}}
{{ .root.Values.image.repository }}/{{ .noun }}-svc:{{ .root.Values.image.tag | default (include "osaga.label" .root.Chart.AppVersion) }}
{{- with index .root.Values.image.digests .noun }}@{{ . }}{{ end }}
{{- end }}

{{/* What every pod has in common: dict "root" $ "part" "…" "user" 10001 */}}
{{- define "osaga.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .user }}
  runAsGroup: {{ .user }}
  fsGroup: {{ .user }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "osaga.selector" . | nindent 8 }}
{{- end }}
{{- end }}

{{- define "osaga.container" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}
