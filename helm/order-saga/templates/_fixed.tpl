{{/* What cannot be changed in place, held against what is there, before anything is touched. */}}

{{/* A quantity such as 1.5Gi in bytes, since the API server writes it in a way of its own. */}}
{{- define "osaga.bytes" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 }}
{{- $unit := regexFind "(m|[kKMGTP]i?)$" . }}
{{- mulf (trimSuffix $unit . | float64) (index $units $unit) | int64 }}
{{- end }}

{{/* dict "root" $ "part" "kafka" "set" the StatefulSet, or empty "claims" the claims of its volumes; fails with the way out. */}}
{{- define "osaga.mustFit" -}}
{{- $wanted := index .root.Values .part }}
{{- $name := include "osaga.name" . }}
{{- $kubectl := printf "  kubectl --namespace %s" .root.Release.Namespace }}
{{- $has := dict }}
{{- if .set }}
{{- $template := index .set.spec.volumeClaimTemplates 0 }}
{{- $_ := set $has "size" $template.spec.resources.requests.storage }}
{{- $_ := set $has "className" (index $template.spec "storageClassName" | default "") }}
{{- $container := index .set.spec.template.spec.containers 0 }}
{{- $_ := set $has "image" $container.image }}
{{- range $container.env }}
{{- if has .name (list "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS" "KAFKA_CONTROLLER_QUORUM_VOTERS") }}
{{- $_ := set $has "nodes" (splitList "," .value | len) }}
{{- end }}
{{- if eq .name "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP" }}
{{- $_ := set $has "open" (contains "PLAINTEXT" .value) }}
{{- end }}
{{- end }}
{{- range $volume := .set.spec.template.spec.volumes }}
{{- if eq $volume.name "tls" }}{{ $_ := set $has "tlsSecret" $volume.secret.secretName }}{{ end }}
{{- end }}
{{- else if .claims }}
{{- $claim := first .claims }}
{{- $_ := set $has "size" $claim.spec.resources.requests.storage }}
{{- $_ := set $has "className" (ternary (index $claim.spec "storageClassName" | default "") "" (ne $wanted.storage.className "")) }}
{{- $_ := set $has "nodes" (len .claims) }}
{{- end }}
{{- if $has }}
{{- if and (eq .part "kafka") (lt (int $wanted.nodes) (int $has.nodes)) }}
{{- fail (join "\n" (list
  (printf "\n\nkafka.nodes=%d: %s has %d, and its quorum needs most of them; fewer would not come up on their volumes." (int $wanted.nodes) $name (int $has.nodes))
  "Nothing was changed. Either leave it as it is, or begin with an empty Kafka. What is on its way in it is sent again from"
  "the databases; dead letters are lost, so look at them first (ordersaga dlq list):"
  (printf "%s delete statefulset %s" $kubectl $name)
  (printf "%s delete pvc --selector app.kubernetes.io/instance=%s,app.kubernetes.io/component=kafka" $kubectl .root.Release.Name)
  (printf "%s delete pod --selector app.kubernetes.io/instance=%s,app.kubernetes.io/component=registry    # its schemas were in Kafka" $kubectl .root.Release.Name)
  (printf "%s delete job --selector app.kubernetes.io/instance=%s,app.kubernetes.io/component=contracts" $kubectl .root.Release.Name)
  "then this command again, and when Kafka is ready"
  (printf "%s rollout restart deployment --selector app.kubernetes.io/instance=%s" $kubectl .root.Release.Name))) }}
{{- end }}
{{- if and (eq .part "kafka") (gt (max (int $has.nodes) (int $wanted.nodes)) 1) }}
{{- $tlsSecret := include "osaga.tlsSecret" (merge (dict "noun" .part) .) }}
{{- $why := "" }}
{{- if $has.open }}
{{- $why = printf "The nodes of %s were made by an earlier version, and talk in the clear. This one's do not" $name }}
{{- else if and $has.tlsSecret (ne $has.tlsSecret $tlsSecret) }}
{{- $why = printf "The nodes of %s have their certificate from the secret %s, and are to have it from %s. Those with one do not\ntalk to those with the other, unless one authority made both" $name $has.tlsSecret $tlsSecret }}
{{- end }}
{{- if $why }}
{{- fail (join "\n" (list
  (printf "\n\n%s, so they change all together." $why)
  "Nothing was changed. While Kafka is away, orders are accepted and wait; its volumes stay, and nothing in them is lost:"
  (printf "%s delete statefulset %s" $kubectl $name)
  "then this command again.")) }}
{{- end }}
{{- end }}
{{- $size := include "osaga.bytes" $wanted.storage.size | int64 }}
{{- $old := include "osaga.bytes" $has.size | int64 }}
{{- if lt $size $old }}
{{- fail (printf "\n\n%s.storage.size=%s: the volumes of %s have %s, and a volume cannot shrink. Nothing was changed.\nLeave it at %s." .part $wanted.storage.size $name $has.size $has.size) }}
{{- else if gt $size $old }}
{{- $lines := list (printf "\n\n%s.storage.size=%s: the volumes of %s have %s, and a StatefulSet's volumes are not changed by an upgrade." .part $wanted.storage.size $name $has.size) }}
{{- $lines = append $lines "Nothing was changed. To grow them, where their storage class has allowVolumeExpansion:" }}
{{- range $id := until (ternary (int (default 1 $has.nodes)) 1 (eq .part "kafka")) }}
{{- $lines = append $lines (printf "%s patch pvc data-%s-%d --patch '{\"spec\":{\"resources\":{\"requests\":{\"storage\":%q}}}}'" $kubectl $name $id $wanted.storage.size) }}
{{- end }}
{{- if .set }}
{{- $lines = append $lines (printf "%s delete statefulset %s --cascade=orphan    # its pods go on" $kubectl $name) }}
{{- end }}
{{- fail (join "\n" (append $lines "then this command again.")) }}
{{- end }}
{{- if ne $wanted.storage.className $has.className }}
{{- fail (printf "\n\n%s.storage.className=%q: the volumes of %s are of %s, and a volume cannot move to another class. Nothing was changed.\nLeave it as it is, or restore a backup into another release." .part $wanted.storage.className $name ($has.className | default "the cluster's default class")) }}
{{- end }}
{{- $major := ":[0-9]+[^:/]*$" }}
{{- $new := regexReplaceAll "@.*" $wanted.image "" | regexFind $major | trimPrefix ":" | regexFind "^[0-9]+" }}
{{- $old := regexReplaceAll "@.*" ($has.image | default "") "" | regexFind $major | trimPrefix ":" | regexFind "^[0-9]+" }}
{{- if and (eq .part "postgres") $old $new (ne $old $new) }}
{{- fail (printf "\n\npostgres.image=%s: the data on the volume are those of PostgreSQL %s, which %s does not read; it would begin with empty databases. Nothing was changed.\nRestore a dump (pg_dumpall) into another release, or use a PostgreSQL outside of the chart (postgres.enabled=false)." $wanted.image $old $new) }}
{{- end }}
{{- end }}
{{- end }}
