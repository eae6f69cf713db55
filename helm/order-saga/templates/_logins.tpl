{{/* Logins: who has one at which server, in which secret its passwords lie, and when given ones have changed. */}}

{{/* By noun: the keys of its secret, which are the servers. As JSON. */}}
{{- define "osaga.logins" -}}
{{- $kafka := ternary (list "kafka") list .Values.kafka.enabled }}
{{- $registry := ternary (list "registry") list .Values.registry.enabled }}
{{- $database := ternary (list "database" "owner") list .Values.postgres.enabled }}
{{- $who := dict "operators" (concat $kafka $registry) "replay" $kafka "deployer" $registry }}
{{- range $noun, $_ := .Values.services }}{{ $_ := set $who $noun (concat $kafka $registry $database) }}{{ end }}
{{- if .Values.console.enabled }}{{ $_ := set $who "console" (concat $kafka $registry (list "session")) }}{{ end }}
{{- if .Values.registry.enabled }}{{ $_ := set $who "registry" $kafka }}{{ end }}
{{- if .Values.postgres.enabled }}{{ $_ := set $who "postgres" (list "superuser") }}{{ end }}
{{- range $noun, $keys := $who }}
{{- if not $keys }}{{ $_ := unset $who $noun }}{{ end }}
{{- end }}
{{- toJson $who }}
{{- end }}

{{/* Who they are to Kafka and to the registry: dict "noun" "order" */}}
{{- define "osaga.principal" -}}
{{ has .noun (list "operators" "console" "replay" "deployer" "registry") | ternary .noun (printf "%s_svc" .noun) }}
{{- end }}

{{/* The secret with the passwords of a noun: dict "root" $ "noun" "order" */}}
{{- define "osaga.loginSecret" -}}
{{ .root.Values.logins.existingSecrets | default (printf "%s-*-login" .root.Release.Name) | replace "*" .noun }}
{{- end }}

{{/*
The annotation that rolls a pod when the passwords that it reads at its start lie elsewhere, or are given and have changed:
dict "root" $ "reads" (list "order/kafka" ...). Given secrets are told apart by their versions, as the hash of a password that
somebody thought up could be guessed. Who reads a password of the chart's is started again by the job that makes another.
*/}}
{{- define "osaga.loginsRead" -}}
{{- $seen := list }}
{{- range $place := .reads }}
{{- $noun := splitList "/" $place | first }}
{{- $name := include "osaga.loginSecret" (dict "root" $.root "noun" $noun) }}
{{- $seen = append $seen $name }}
{{- if $.root.Values.logins.existingSecrets }}
{{- $found := lookup "v1" "Secret" $.root.Release.Namespace $name }}
{{- $seen = append $seen (dig "metadata" "resourceVersion" "" $found) }}
{{- end }}
{{- end -}}
order-saga/logins: {{ join " " $seen | sha256sum | trunc 16 | quote }}
{{- end }}

{{/* A variable that holds a password: dict "root" $ "noun" "order" "key" "kafka" "variable" "KAFKA_SASL_PASSWORD" */}}
{{- define "osaga.passwordVariable" -}}
- name: {{ .variable }}
  valueFrom:
    secretKeyRef: {name: {{ include "osaga.loginSecret" . }}, key: {{ .key }}}
{{- end }}
