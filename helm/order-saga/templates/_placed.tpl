{{/* What no schema can say of where pods go, who reaches them, and what they reach. Each fails with a sentence. */}}

{{/* Connections that a replica of a service takes at most: those of its pool, and two that it keeps. */}}
{{- define "osaga.connections" -}}17{{- end }}

{{/* A service's replicas fit into its share of PostgreSQL's connections: dict "root" $ "key" "services.order" "own" its values */}}
{{- define "osaga.mustConnect" -}}
{{- $count := len .root.Values.services }}
{{- $most := ternary .own.replicas .own.autoscaling.max (eq .own.autoscaling.by "none") | int }}
{{- $wanted := mul $most (include "osaga.connections" . | int) }}
{{- $share := include "osaga.share" .root | int }}
{{- if gt $wanted $share }}
{{- fail (printf "%s may have %d replicas, which take up to %d connections, and postgres.maxConnections=%d leaves each service %d. Set postgres.maxConnections to %d at least, or %s to fewer" .key $most $wanted (int .root.Values.postgres.maxConnections) $share (div (mul $wanted 5 $count) 4) (ternary "replicas" "autoscaling.max" (eq .own.autoscaling.by "none"))) }}
{{- end }}
{{- end }}

{{/* A Kubernetes service has no option that the API server would refuse beside its type: dict "path" "services.order" "own" its "service" */}}
{{- define "osaga.mustServe" -}}
{{- range $name, $types := dict "nodePort" "NodePort LoadBalancer" "externalTrafficPolicy" "NodePort LoadBalancer" "loadBalancerClass" "LoadBalancer" "loadBalancerSourceRanges" "LoadBalancer" }}
{{- if and (index $.own $name) (not (has $.own.type (splitList " " $types))) }}
{{- fail (printf "%s.service.%s has no meaning beside %s.service.type=%s; it goes with %s" $.path $name $.path $.own.type ($types | replace " " " or ")) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The first of a list of maps whose name another one has as well: dict "of" the list "by" "name" */}}
{{- define "osaga.twice" -}}
{{- $seen := list }}
{{- $twice := list }}
{{- range .of }}
{{- $name := index . $.by }}
{{- if has $name $seen }}{{ $twice = append $twice $name }}{{ end }}
{{- $seen = append $seen $name }}
{{- end }}
{{- first $twice | default "" }}
{{- end }}

{{/*
What the values add to pods has names that nothing else has there, of which nobody could tell by the values which counts. It
looks at the pods as the file of templates makes them: dict "root" $ "file" "services.yaml"
*/}}
{{- define "osaga.mustBeOnce" -}}
{{- range splitList "\n---" (include (printf "%s/%s" .root.Template.BasePath .file) .root) }}
{{- $object := fromYaml . }}
{{- $spec := eq ($object.kind | default "") "Pod" | ternary $object.spec (dig "spec" "template" "spec" dict $object) }}
{{- if $spec.containers }}
{{- $containers := concat ($spec.initContainers | default list) $spec.containers }}
{{- $lists := list (dict "what" "extraVolumes" "of" $spec.volumes "by" "name") (dict "what" "extraContainers" "of" $containers "by" "name") }}
{{- range $containers }}
{{- $lists = append $lists (dict "what" "extraEnv" "of" .env "by" "name") }}
{{- $lists = append $lists (dict "what" "extraVolumeMounts" "of" .volumeMounts "by" "mountPath") }}
{{- end }}
{{- range $lists }}
{{- $what := .what }}
{{- with include "osaga.twice" . }}
{{- $path := include "osaga.podPath" (dict "part" (index $object.metadata.labels "app.kubernetes.io/component")) }}
{{- fail (printf "%s.%s, or that of podDefaults or serviceDefaults: %s is there already; the chart, a setting or an entry before it has that name" $path $what .) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Whether the values add anything to any pod; empty means no. */}}
{{- define "osaga.adds" -}}
{{- range $part := include "osaga.parts" . | fromJsonArray }}
{{- $pod := include "osaga.podValues" (dict "root" $ "part" $part) | fromJson }}
{{- range $what := list "extraEnv" "extraVolumes" "extraVolumeMounts" "extraContainers" "extraInitContainers" }}{{ if index $pod $what }}yes{{ end }}{{ end }}
{{- end }}
{{- end }}

{{/* Peers of network policies stand where they mean something. */}}
{{- define "osaga.mustBePeers" -}}
{{- $policies := .Values.networkPolicies }}
{{- $given := dict "metricsReaders" $policies.metricsReaders "extraIngress" $policies.extraIngress "extraEgress" $policies.extraEgress }}
{{- range $name, $peers := $policies.servers }}{{ $_ := set $given (printf "servers.%s" $name) $peers }}{{ end }}
{{- range $name, $peers := $given }}
{{- if and $peers (not $policies.enabled) }}
{{- fail (printf "networkPolicies.%s keeps nobody out where networkPolicies.enabled is false. Leave one of them out" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What is said of a server outside of the release means nothing where the chart brings that server. */}}
{{- define "osaga.mustBeOutside" -}}
{{- $values := .Values }}
{{- $kafka := $values.kafka.external }}
{{- $registry := $values.registry.external }}
{{- $servers := $values.networkPolicies.servers }}
{{- $given := dict
  "kafka" (dict "networkPolicies.servers.kafka" $servers.kafka "kafka.external.bootstrapServers" $kafka.bootstrapServers
    "kafka.external.settingsSecret" $kafka.settingsSecret "kafka.external.plaintextAcknowledged" $kafka.plaintextAcknowledged)
  "registry" (dict "networkPolicies.servers.registry" $servers.registry "registry.external.url" $registry.url
    "registry.external.settingsSecret" $registry.settingsSecret "registry.external.plaintextAcknowledged" $registry.plaintextAcknowledged)
  "postgres" (dict "networkPolicies.servers.databases" $servers.databases
    "serviceDefaults.database.urlSecret" $values.serviceDefaults.database.urlSecret) }}
{{- range $noun, $differs := $values.services }}
{{- $_ := set $given.postgres (printf "services.%s.database.urlSecret" $noun) (dig "database" "urlSecret" "" $differs) }}
{{- end }}
{{- range $part, $said := $given }}
{{- range $path, $value := ternary $said dict (index $values $part).enabled }}
{{- if $value }}{{ fail (printf "%s is for a server outside of the release, and %s.enabled is true. Leave one of them out" $path $part) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Objects of the user's own lead nobody to a service that serves whoever comes: dict "root" $ "objects" the rendered ones */}}
{{- define "osaga.mustNotOpen" -}}
{{- if eq .root.Values.auth.mode "none" }}
{{- range .objects }}
{{- $type := (.spec | default dict).type | default "" }}
{{- $isWayIn := regexMatch "Ingress|Route|^(HTTPProxy|VirtualService|VirtualServer|TransportServer|Mapping|TCPMapping)$" .kind }}
{{- if or $isWayIn (and (eq .kind "Service") (or (has $type (list "NodePort" "LoadBalancer")) (.spec | default dict).externalIPs)) }}
{{- fail (printf "extraObjects has the %s %s, by which others may reach the release, and auth.mode is none: whoever does may do everything. Set auth.mode=jwt" .kind .metadata.name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
