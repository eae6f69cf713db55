{{/* Where a part's pods go and what is added to them: podDefaults, and over them what the part's own "pod" says. */}}

{{/* The path of a part's own "pod" among the values: dict "part" "order-svc" */}}
{{- define "osaga.podPath" -}}
{{ hasSuffix "-svc" .part | ternary (printf "services.%s" (trimSuffix "-svc" .part)) .part }}.pod
{{- end }}

{{/* What holds for a part's pods, as JSON: dict "root" $ "part" "order-svc" */}}
{{- define "osaga.podValues" -}}
{{- $values := .root.Values }}
{{- $pod := deepCopy $values.podDefaults }}
{{- if hasSuffix "-svc" .part }}
{{- $own := index $values.services (trimSuffix "-svc" .part) }}
{{- range list $values.serviceDefaults.pod $own.pod }}{{ $pod = mergeOverwrite $pod (. | default dict | deepCopy) }}{{ end }}
{{- else }}
{{- $pod = mergeOverwrite $pod ((index $values .part | default dict).pod | default dict | deepCopy) }}
{{- end }}
{{- toJson $pod }}
{{- end }}

{{/*
The specification of a part's pod, as far as it is the same for all: dict "root" $ "part" "…" "user" 10001, the user whom the
image is made for, "grace" the seconds that it needs to stop, and "affinity" where the part has one of its own.
*/}}
{{- define "osaga.pod" -}}
{{- $pod := include "osaga.podValues" . | fromJson -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with include "osaga.serviceAccount" . }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- range $name := list "priorityClassName" "schedulerName" "runtimeClassName" "nodeSelector" "tolerations" "hostAliases" }}
{{- with index $pod $name }}
{{ $name }}: {{ toJson . }}
{{- end }}
{{- end }}
{{- with $pod.affinity | default .affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $pod.terminationGracePeriodSeconds | default .grace }}
terminationGracePeriodSeconds: {{ . }}
{{- end }}
{{- $context := dict "runAsNonRoot" true "fsGroupChangePolicy" "OnRootMismatch" "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- if $pod.fixedUser }}
{{- range $name := list "runAsUser" "runAsGroup" "fsGroup" }}{{ $_ := set $context $name $.user }}{{ end }}
{{- end }}
securityContext: {{- mergeOverwrite $context $pod.securityContext | toYaml | nindent 2 }}
{{- with include "osaga.spread" . }}
topologySpreadConstraints: {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The constraints by which a part's pods are spread: those of the values, else the chart's own. A Deployment's pods are spread
revision by revision, as those of the former one are about to go; a broker is never placed as if the others were not there.
*/}}
{{- define "osaga.spread" -}}
{{- $selector := include "osaga.selector" . | fromYaml }}
{{- $constraints := (include "osaga.podValues" . | fromJson).topologySpreadConstraints }}
{{- if and (not $constraints) .root.Values.topologySpread.enabled }}
{{- range .root.Values.topologySpread.over }}
{{- $one := dict "maxSkew" 1 "topologyKey" . "whenUnsatisfiable" "ScheduleAnyway" }}
{{- if not (has $.part (list "kafka" "postgres" "contracts" "secrets" "test")) }}{{ $_ := set $one "matchLabelKeys" (list "pod-template-hash") }}{{ end }}
{{- $constraints = append $constraints $one }}
{{- end }}
{{- end }}
{{- range $constraints }}
{{- if not (hasKey . "labelSelector") }}{{ $_ := set . "labelSelector" (dict "matchLabels" $selector) }}{{ end }}
{{- end }}
{{- with $constraints }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* The name of a part's service account; empty means the namespace's own: dict "root" $ "part" "order-svc" */}}
{{- define "osaga.serviceAccount" -}}
{{- if eq .part "secrets" }}{{ include "osaga.name" . }}
{{- else }}
{{- with (include "osaga.podValues" . | fromJson).serviceAccount }}
{{- .name | default (ternary (include "osaga.name" $) "" .create) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The labels of a part's pods. The selector's are not to be changed, which the schema says. */}}
{{- define "osaga.podLabels" -}}
{{ include "osaga.selector" . }}
{{- with (include "osaga.podValues" . | fromJson).labels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* The annotations that the values give to a part's pods, beside the chart's own. */}}
{{- define "osaga.podAnnotations" -}}
{{- with (include "osaga.podValues" . | fromJson).annotations }}{{ toYaml . }}{{ end }}
{{- end }}

{{/* What every container of the chart's may do: dict "root" $ "part" "…" */}}
{{- define "osaga.container" -}}
{{- $own := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) -}}
securityContext: {{- mergeOverwrite $own (include "osaga.podValues" . | fromJson).containerSecurityContext | toYaml | nindent 2 }}
{{- end }}

{{/* A probe with the thresholds of the values: dict "here" $here "of" "startup" "is" "{grpc: …}" */}}
{{- define "osaga.probe" -}}
{{- $thresholds := index (include "osaga.podValues" .here | fromJson).probes .of | default dict }}
{{- mergeOverwrite (fromYaml .is) $thresholds | toYaml }}
{{- end }}

{{/*
Variables from whole secrets and ConfigMaps, those of external servers last, as the last one counts:
dict "root" $ "part" "order-svc" "noun" "order" "of" (list "kafka"), or without "of".
*/}}
{{- define "osaga.envFrom" -}}
{{- $from := (include "osaga.podValues" . | fromJson).extraEnvFrom }}
{{- range include "osaga.settingsSecrets" . | fromJsonArray }}{{ $from = append $from (dict "secretRef" (dict "name" .)) }}{{ end }}
{{- with $from }}
envFrom: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* What the values add to a part's pods: dict "root" $ "part" "…" "what" "extraEnv", "extraVolumes", … */}}
{{- define "osaga.extra" -}}
{{- with index (include "osaga.podValues" . | fromJson) .what }}{{ toYaml . }}{{ end }}
{{- end }}

{{/*
Of "clients" those who have a certificate to show, as JSON: the services, and others where they reach a server outside of the
release, so that no pod waits for a secret that nobody needs: dict "root" $ "clients" (list "order" "registry")
*/}}
{{- define "osaga.shown" -}}
{{- $shown := list }}
{{- $values := .root.Values }}
{{- range $noun := ternary .clients list (ne $values.tls.clientSecret "") }}
{{- $ours := and $values.kafka.enabled (or $values.registry.enabled (eq $noun "registry")) }}
{{- if or (hasKey $values.services $noun) (not $ours) }}{{ $shown = append $shown $noun }}{{ end }}
{{- end }}
{{- toJson $shown }}
{{- end }}

{{/*
What the project's own programs find mounted: the part's certificate at /tls, authorities of external servers, and a
certificate to show to them: dict "root" $ "part" "…" "noun" "order" "clients" (list "order"), who may show one.
*/}}
{{- define "osaga.mounts" -}}
- {name: tls, mountPath: /tls, readOnly: true} # folders, not single files: these would stay as they are
{{- with .root.Values.tls }}
{{- if or .authoritiesSecret .authoritiesConfigMap }}
- {name: authorities, mountPath: /authorities, readOnly: true}
{{- end }}
{{- end }}
{{- range include "osaga.shown" . | fromJsonArray }}
- {name: client-{{ . }}, mountPath: /client, readOnly: true}
{{- end }}
{{ include "osaga.extra" (merge (dict "what" "extraVolumeMounts") .) }}
{{- end }}

{{- define "osaga.volumes" -}}
- name: tls
  secret: {secretName: {{ include "osaga.tlsSecret" . }}, defaultMode: 0440}
{{- with .root.Values.tls }}
{{- if or .authoritiesSecret .authoritiesConfigMap }}
- name: authorities
  projected:
    defaultMode: 0440
    sources:
      {{- with .authoritiesConfigMap }}
      - configMap: {name: {{ . }}}
      {{- end }}
      {{- with .authoritiesSecret }}
      - secret: {name: {{ . }}}
      {{- end }}
{{- end }}
{{- end }}
{{- range include "osaga.shown" . | fromJsonArray }}
- name: client-{{ . }}
  secret: {secretName: {{ $.root.Values.tls.clientSecret | replace "*" . }}, defaultMode: 0440}
{{- end }}
{{ include "osaga.extra" (merge (dict "what" "extraVolumes") .) }}
{{- end }}
