{{/* Secrets that the values name: which keys the release reads of each, and whether the cluster's have them. */}}

{{/* By the secret's name: "value", which names it, and "keys". As JSON. */}}
{{- define "osaga.given" -}}
{{- $values := .Values }}
{{- $list := list }}
{{- with $values.tls.existingSecrets }}
{{- range $noun, $_ := include "osaga.certified" $ | fromJson }}
{{- $list = append $list (dict "value" "tls.existingSecrets" "secret" ($values.tls.existingSecrets | replace "*" $noun) "keys" (list "tls.crt" "tls.key" "ca.crt")) }}
{{- end }}
{{- end }}
{{- with $values.logins.existingSecrets }}
{{- range $noun, $keys := include "osaga.logins" $ | fromJson }}
{{- $list = append $list (dict "value" "logins.existingSecrets" "secret" ($values.logins.existingSecrets | replace "*" $noun) "keys" $keys) }}
{{- end }}
{{- end }}
{{- $clients := concat (keys $values.services) (list "deployer") (include "osaga.withReplay" (dict "root" $ "noun" "operators") | fromJsonArray) }}
{{- if $values.console.enabled }}{{ $clients = append $clients "console" }}{{ end }}
{{- $read := dict "kafka" (list "KAFKA_SECURITY_PROTOCOL") "registry" list }}
{{- range $part, $keys := $read }}
{{- $who := ternary (append $clients "registry") $clients (and (eq $part "kafka") $values.registry.enabled) }}
{{- range $noun := $who }}
{{- range $secret := include "osaga.settingsSecrets" (dict "root" $ "noun" $noun "of" (list $part)) | fromJsonArray }}
{{- $list = append $list (dict "value" (printf "%s.external.settingsSecret" $part) "secret" $secret "keys" $keys) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not $values.postgres.enabled }}
{{- range $noun, $differs := $values.services }}
{{- $database := (mergeOverwrite (deepCopy $values.serviceDefaults) $differs).database }}
{{- $list = append $list (dict "value" "database.urlSecret" "secret" ($database.urlSecret | replace "*" $noun) "keys" (list $database.urlKey)) }}
{{- end }}
{{- end }}
{{- $list = append $list (dict "value" "tls.authoritiesSecret" "secret" $values.tls.authoritiesSecret "keys" list) }}
{{- range $noun := include "osaga.shown" (dict "root" $ "clients" (concat $clients (ternary (list "registry") list $values.registry.enabled))) | fromJsonArray }}
{{- $list = append $list (dict "value" "tls.clientSecret" "secret" ($values.tls.clientSecret | replace "*" $noun) "keys" list) }}
{{- end }}
{{- $list = append $list (dict "value" "auth.jwksSecret" "secret" $values.auth.jwksSecret "keys" (list "jwks.json")) }}
{{- if $values.console.enabled }}
{{- $list = append $list (dict "value" "console.oidc.existingSecret" "secret" $values.console.oidc.existingSecret "keys" (list "clientSecret")) }}
{{- end }}
{{- $given := dict }}
{{- range $list }}
{{- if .secret }}
{{- $known := index $given .secret | default dict }}
{{- $_ := set $given .secret (dict "value" .value "keys" (concat ($known.keys | default list) .keys | uniq)) }}
{{- end }}
{{- end }}
{{- toJson $given }}
{{- end }}

{{/*
Fails where given secrets lack what is read of them, since pods would wait for it. Where none of them is found at all,
there is no cluster to ask, or they are yet to come.
*/}}
{{- define "osaga.mustHold" -}}
{{- $found := false }}
{{- $lines := list }}
{{- range $name, $given := include "osaga.given" . | fromJson }}
{{- $secret := lookup "v1" "Secret" $.Release.Namespace $name }}
{{- if $secret }}{{ $found = true }}{{ end }}
{{- $lacks := list }}
{{- range $given.keys }}
{{- if not (hasKey ($secret.data | default dict) .) }}{{ $lacks = append $lacks . }}{{ end }}
{{- end }}
{{- if or $lacks (not $secret) }}
{{- $lines = append $lines (printf "  %s (%s) %s %s" $name $given.value ($secret | empty | ternary "is not there, and needs" "lacks") (join ", " $lacks | default "the settings")) }}
{{- end }}
{{- end }}
{{- if and $found $lines }}
{{- fail (join "\n" (concat (list "\n\nGiven secrets lack what pods read of them, which would wait for it. Nothing was changed.") $lines (list
  "Make it, and then this command again. Without the console (console.enabled=false) nothing is read of its secrets."))) }}
{{- end }}
{{- end }}
