"""Properties of the Kafka and registry clients, with the environment's security settings."""

from typing import Any

from ordersaga_cli.settings import read
from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings


def kafka_client(address: str) -> dict[str, str | int | float | bool]:
    """Return the librdkafka properties for the brokers at ``address``, with the environment's security settings."""
    return {**read(KafkaSettings, kafka_bootstrap_servers=address).kafka_client(), "log_level": 0}


def registry_client(address: str) -> dict[str, Any]:
    """Return the registry client's properties for ``address``, with the environment's credentials."""
    return {**read(RegistrySettings, schema_registry_url=address).registry_client(), "timeout": 10}
