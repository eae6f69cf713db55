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

{{/* A part's pods have room for what the values add to them: dict "root" $ "part" "order-svc" */}}
{{- define "osaga.mustHoldMore" -}}
{{- $pod := include "osaga.podValues" . | fromJson }}
{{- $path := include "osaga.podPath" . }}
{{- range $pod.extraVolumes }}
{{- if or (has .name (list "tls" "authorities" "jwks" "logins" "scratch" "data" "databases" "properties" "kafka" "secured" "client")) (hasPrefix "client-" .name) }}
{{- fail (printf "%s.extraVolumes, or that of podDefaults: the chart has a volume %s itself; give yours another name" $path .name) }}
{{- end }}
{{- end }}
{{- if has .part (list "operators" "contracts" "test") }}
{{- if (index .root.Values .part).pod.probes }}{{ fail (printf "%s.probes: nothing is probed in these pods" $path) }}{{ end }}
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
{{- range $name, $part := dict "kafka" "kafka" "registry" "registry" "databases" "postgres" }}
{{- if and (index $policies.servers $name) (index $.Values $part).enabled }}
{{- fail (printf "networkPolicies.servers.%s is for a server outside of the release, and %s.enabled is true" $name $part) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Objects of the user's own lead nobody to a service that serves whoever comes: dict "root" $ "objects" the rendered ones */}}
{{- define "osaga.mustNotOpen" -}}
{{- if eq .root.Values.auth.mode "none" }}
{{- range .objects }}
{{- $type := (.spec | default dict).type | default "" }}
{{- if or (has .kind (list "Ingress" "GRPCRoute" "HTTPRoute" "TLSRoute" "TCPRoute" "IngressRoute" "IngressRouteTCP" "VirtualService" "Route")) (and (eq .kind "Service") (has $type (list "NodePort" "LoadBalancer"))) }}
{{- fail (printf "extraObjects has the %s %s, by which others may reach the release, and auth.mode is none: whoever does may do everything. Set auth.mode=jwt" .kind .metadata.name) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
