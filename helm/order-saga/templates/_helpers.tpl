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
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The head of an object of a part: dict "root" $ "part" "kafka" "name" "…" (the part's own, where it is not given) */}}
{{- define "osaga.metadata" -}}
metadata:
  name: {{ .name | default (include "osaga.name" .) }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "osaga.labels" . | nindent 4 }}
{{- end }}

{{- define "osaga.image" -}}
{{ .root.Values.image.repository }}/{{ .part }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
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

{{/* Where Kafka is. */}}
{{- define "osaga.bootstrap" -}}
{{- if .Values.kafka.enabled -}}
{{ include "osaga.name" (dict "root" . "part" "kafka") }}:9092
{{- else -}}
{{ .Values.kafka.external.bootstrapServers }}
{{- end }}
{{- end }}

{{/* Where the registry is. */}}
{{- define "osaga.registry" -}}
{{- if .Values.registry.enabled -}}
http://{{ include "osaga.name" (dict "root" . "part" "registry") }}:8080/apis/ccompat/v7
{{- else -}}
{{ .Values.registry.external.url }}
{{- end }}
{{- end }}

{{/* The variables and secrets by which the project's own programs reach Kafka and the registry. */}}
{{- define "osaga.backing" -}}
{{- $secrets := list }}
{{- range $part := list .Values.kafka .Values.registry }}
{{- if and (not $part.enabled) $part.external.settingsSecret }}{{ $secrets = append $secrets $part.external.settingsSecret }}{{ end }}
{{- end }}
{{- with $secrets }}
envFrom:
  {{- range . }}
  - secretRef: {name: {{ . }}}
  {{- end }}
{{- end }}
env:
  - {name: KAFKA_BOOTSTRAP_SERVERS, value: {{ include "osaga.bootstrap" . | quote }}}
  - {name: SCHEMA_REGISTRY_URL, value: {{ include "osaga.registry" . | quote }}}
{{- end }}

{{/* The variables by which a service reaches its database: dict "root" $ "noun" "order" "own" its values */}}
{{- define "osaga.database" -}}
{{- if .root.Values.postgres.enabled -}}
- name: DATABASE_PASSWORD
  valueFrom:
    secretKeyRef: {name: {{ include "osaga.passwords" .root }}, key: {{ .noun }}}
- name: DATABASE_URL
  value: postgresql://{{ .noun }}_svc:$(DATABASE_PASSWORD)@{{ include "osaga.name" (dict "root" .root "part" "postgres") }}:5432/{{ .noun }}_svc
{{- else -}}
- name: DATABASE_URL
  valueFrom:
    secretKeyRef: {name: {{ .own.database.urlSecret | replace "*" .noun }}, key: {{ .own.database.urlKey }}}
{{- end }}
{{- end }}

{{/* The variables that say who may call a service. */}}
{{- define "osaga.callers" -}}
- {name: AUTH_MODE, value: {{ .Values.auth.mode }}}
{{- if eq .Values.auth.mode "jwt" }}
- {name: AUTH_ISSUER, value: {{ .Values.auth.issuer | quote }}}
- {name: AUTH_AUDIENCE, value: {{ .Values.auth.audience | quote }}}
- {name: AUTH_JWKS_URL, value: {{ .Values.auth.jwksUrl | quote }}}
- {name: AUTH_USER_CLAIM, value: {{ .Values.auth.userClaim | quote }}}
{{- else }}
- {name: AUTH_NONE_ACKNOWLEDGED, value: "yes"} # NOTES.txt says what that means
{{- end }}
{{- end }}

{{- define "osaga.passwords" -}}
{{ .Values.postgres.passwordsSecret | default (include "osaga.name" (dict "root" . "part" "postgres")) }}
{{- end }}

{{/* What mounts the secret with a part's certificate into a container; nothing for an empty name. */}}
{{- define "osaga.tlsMount" -}}
{{- with . }}
volumeMounts:
  - {name: tls, mountPath: /tls, readOnly: true} # a folder, not single files: these would stay as they are
{{- end }}
{{- end }}

{{- define "osaga.tlsVolume" -}}
{{- with . }}
volumes:
  - name: tls
    secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- end }}
