{{/* What closes Kafka, as variables: TLS at each listener, logins for clients, nothing that an ACL does not grant. */}}
{{- define "osaga.kafkaSecurity" -}}
KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: CLIENTS:SASL_SSL,CONTROLLER:SSL,BROKERS:SSL
KAFKA_SSL_KEYSTORE_TYPE: PEM
KAFKA_SSL_KEYSTORE_LOCATION: /secured/keys.pem
KAFKA_SSL_TRUSTSTORE_TYPE: PEM
KAFKA_SSL_TRUSTSTORE_LOCATION: /tls/ca.crt
KAFKA_LISTENER_NAME_BROKERS_SSL_CLIENT_AUTH: required
KAFKA_LISTENER_NAME_CONTROLLER_SSL_CLIENT_AUTH: required
KAFKA_SSL_PRINCIPAL_MAPPING_RULES: "RULE:^CN=([^,]+).*$/$1/,DEFAULT"
KAFKA_SASL_ENABLED_MECHANISMS: SCRAM-SHA-512
KAFKA_LISTENER_NAME_CLIENTS_SCRAM___SHA___512_SASL_JAAS_CONFIG: org.apache.kafka.common.security.scram.ScramLoginModule required;
KAFKA_AUTHORIZER_CLASS_NAME: org.apache.kafka.metadata.authorizer.StandardAuthorizer
KAFKA_ALLOW_EVERYONE_IF_NO_ACL_FOUND: "false"
KAFKA_SUPER_USERS: User:broker;User:deployer
{{- end }}

{{/* Nodes of Kafka are kept apart, by machine and by zone, where there are enough of these. */}}
{{- define "osaga.kafkaApart" -}}
podAntiAffinity:
  preferredDuringSchedulingIgnoredDuringExecution:
    {{- range $key, $weight := dict "kubernetes.io/hostname" 100 "topology.kubernetes.io/zone" 50 }}
    - weight: {{ $weight }}
      podAffinityTerm:
        topologyKey: {{ $key }}
        labelSelector:
          matchLabels: {{- include "osaga.selector" $ | nindent 12 }}
    {{- end }}
{{- end }}

{{/*
What runs before the topics are made, where there are several nodes: it waits for all of them, and gives the topics of a Kafka that
had fewer a copy on each.
*/}}
{{- define "osaga.kafkaCopies" -}}
- name: copies
  image: {{ .root.Values.kafka.image }}
  command: [bash, -c, {{ .root.Files.Get "files/kafka_copies.sh" | toJson }}]
  env:
    - {name: BROKERS, value: "{{ .root.Release.Name }}-kafka-nodes:9094"}
    - {name: NODES, value: {{ .root.Values.kafka.nodes | quote }}}
  resources:
    requests: {cpu: 50m, memory: 128Mi}
    limits: {memory: 384Mi}
  {{- include "osaga.container" . | nindent 2 }}
  volumeMounts:
    - {name: tls, mountPath: /tls, readOnly: true}
    - {name: copies, mountPath: /tmp, subPath: tmp}
    - {name: copies, mountPath: /opt/kafka/logs, subPath: logs}
{{- end }}
