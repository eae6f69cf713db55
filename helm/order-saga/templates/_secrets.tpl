{{/*
The secrets of the release that nobody gives: what makes them in the cluster. Nothing is made up here, so the chart is
rendered the same each time, with a cluster or without.
*/}}

{{/* Which of them there have to be, and who reads a password at its start, for python -m cluster_secrets. As JSON. */}}
{{- define "osaga.plan" -}}
{{- $plan := dict "logins" dict "certificates" dict "readers" dict }}
{{- $_ := set $plan "labels" (dict
  "app.kubernetes.io/name" .Chart.Name "app.kubernetes.io/managed-by" "cluster_secrets" "order-saga/release" .Release.Name
  "app.kubernetes.io/instance" nil "app.kubernetes.io/component" nil "app.kubernetes.io/version" nil "helm.sh/chart" nil) }}
{{- /* Helm would remove those that it made itself in an earlier version, and Argo CD what it takes for its own. */}}
{{- $_ := set $plan "annotations" (dict
  "helm.sh/resource-policy" "keep" "argocd.argoproj.io/tracking-id" nil "meta.helm.sh/release-name" nil
  "meta.helm.sh/release-namespace" nil "order-saga/renew-from" nil "order-saga/made-for" nil) }}
{{- if not .Values.logins.existingSecrets }}
{{- range $noun, $keys := include "osaga.logins" . | fromJson }}
{{- $_ := set $plan.logins (include "osaga.loginSecret" (dict "root" $ "noun" $noun)) $keys }}
{{- end }}
{{- $deployments := list }}
{{- range $part := concat (splitList " " (include "osaga.services" .)) (list "operators") }}
{{- $deployments = append $deployments (include "osaga.name" (dict "root" $ "part" $part)) }}
{{- end }}
{{- range $part := list "console" "registry" }}
{{- if (index $.Values $part).enabled }}{{ $deployments = append $deployments (include "osaga.name" (dict "root" $ "part" $part)) }}{{ end }}
{{- end }}
{{- $_ := set $plan.readers "deployments" $deployments }}
{{- if .Values.postgres.enabled }}{{ $_ := set $plan.readers "statefulsets" (list (include "osaga.name" (dict "root" . "part" "postgres"))) }}{{ end }}
{{- end }}
{{- if not (or .Values.tls.existingSecrets .Values.tls.issuerRef.name) }}
{{- $_ := set $plan "authority" (dict
  "secret" (include "osaga.name" (dict "root" . "part" "ca"))
  "name" (printf "order-saga %s %s" .Release.Namespace .Release.Name | trunc 64)) }}
{{- range $noun, $who := include "osaga.certified" . | fromJson }}
{{- $here := dict "root" $ "part" $who.part "noun" $noun }}
{{- $for := dict "subject" $who.subject "hosts" (include "osaga.hosts" $here | fromJsonArray) "addresses" (include "osaga.addresses" $here | fromJsonArray) }}
{{- $_ := set $plan.certificates (include "osaga.tlsSecret" $here) $for }}
{{- end }}
{{- end }}
{{- toJson $plan }}
{{- end }}

{{/*
Metadata of what runs before everything else of an installation or an upgrade, which Argo CD does before a sync. It is
gone afterwards, the right to write secrets with it, but where it has failed: dict "root" $ "part" "secrets" "weight" 0
*/}}
{{- define "osaga.before" -}}
{{- $hook := dict "helm.sh/hook" "pre-install,pre-upgrade" "helm.sh/hook-weight" (toString .weight)
  "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" "helm.sh/hook-output-log-policy" "hook-failed" }}
{{- include "osaga.metadata" (merge (dict "annotations" $hook) .) }}
{{- end }}
