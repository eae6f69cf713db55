{{/*
Refuses values that have names of an earlier version. With --reuse-values all of them have, and lack what is new; so this is
asked by the template that Helm renders first, which is the one that lies deepest.
*/}}
{{- define "osaga.former" -}}
{{- $former := list }}
{{- range $name, $value := .Values }}
{{- if and (hasSuffix "Svc" $name) (not (kindIs "invalid" $value)) }}
{{- $former = append $former (printf "  %-20s is now  services.%s" $name (trimSuffix "Svc" $name)) }}
{{- end }}
{{- end }}
{{- with $former }}
{{- fail (join "\n" (concat (list "\n\nSome values have names of an earlier version. Nothing was changed.") . (list
  "What is inside of them has the names that it had. Rename them in your file of values. What was set by --set stays with"
  "the release; set it anew, and the old name to null:"
  "  --reset-then-reuse-values --set orderSvc=null --set services.order.replicas=2"
  "Do not give --reuse-values: it brings the defaults of the earlier version as well."))) }}
{{- end }}
{{- if not (and .Values.podDefaults (.Values.networkPolicies | default dict).servers) }}
{{- fail "podDefaults or networkPolicies.servers is missing: --reuse-values brings the defaults of an earlier version, which lack what is new. Give --reset-then-reuse-values, which brings what you have set, and only that. Nothing was changed." }}
{{- end }}
{{- $services := dict "serviceDefaults" .Values.serviceDefaults "console" .Values.console }}
{{- range $noun, $own := .Values.services }}{{ $_ := set $services (printf "services.%s" $noun) $own }}{{ end }}
{{- range $path, $own := $services }}
{{- if hasKey ($own | default dict) "serviceType" }}
{{- fail (printf "%s.serviceType is now %s.service.type. Nothing was changed." $path $path) }}
{{- end }}
{{- end }}
{{- if not .Values.console.service }}{{ fail "console.service is missing: its name stands among your values with nothing behind it. Nothing was changed." }}{{ end }}
{{- if (.Values.postgres | default dict).passwordsSecret }}
{{- fail "postgres.passwordsSecret is now logins.existingSecrets, with a secret for each part; without it the chart makes the passwords, those of a database that is there included" }}
{{- end }}
{{- end }}
