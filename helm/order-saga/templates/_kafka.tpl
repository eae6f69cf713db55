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
