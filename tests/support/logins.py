"""Clients of a closed stack's servers: with a login, or without one that counts."""

from confluent_kafka import KafkaError, Producer

from devstack.security import Security
from devstack.stack import Stack
from sagakit.kafka.settings import KafkaSettings

Client = dict[str, str | int | float | bool]
_SECONDS = 15


def client_of(stack: Stack, principal: str, **other: str) -> Client:
    """Return the Kafka properties of ``principal``, with the settings ``other`` in the place of its own."""
    login = {name.lower(): value for name, value in stack.security.kafka_login(principal).items()}
    read = KafkaSettings.model_validate({**login, "kafka_bootstrap_servers": stack.bootstrap, **other})
    return {**read.kafka_client(), "log_level": 0}


def with_certificate(security: Security, name: str, address: str) -> Client:
    """Return the properties of a client that shows the certificate of ``name`` instead of a login."""
    certificate, key = security.pair(name)
    return {
        "bootstrap.servers": address,
        "security.protocol": "SSL",
        "ssl.ca.location": str(security.ca),
        "ssl.certificate.location": str(certificate),
        "ssl.key.location": str(key),
        "log_level": 0,
    }


def write(client: Client, topic: str, value: bytes = b"forged") -> KafkaError | None:
    """Write one message; return why it was not taken, None where it was."""
    reports: list[KafkaError | None] = []
    producer = Producer({**client, "message.timeout.ms": 5000})
    producer.produce(topic, key=b"1", value=value, on_delivery=lambda error, _: reports.append(error))
    producer.flush(_SECONDS)
    (report,) = reports
    return report
