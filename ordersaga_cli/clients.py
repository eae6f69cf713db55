"""Properties of the Kafka and registry clients, with the environment's security settings.

What the environment leaves open comes from the stack that runs on this machine, where it is closed and the address is
its own.
"""

from typing import Any

from ordersaga_cli.places import KAFKA, REGISTRY, Login, secured
from ordersaga_cli.settings import read
from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings


def kafka_client(address: str, login: Login = "operators") -> dict[str, str | int | float | bool]:
    """Return the librdkafka properties for the brokers at ``address``, with the security settings of ``login``."""
    settings = read(KafkaSettings, secured(KAFKA, address, login), kafka_bootstrap_servers=address)
    return {**settings.kafka_client(), "log_level": 0}


def registry_client(address: str) -> dict[str, Any]:
    """Return the registry client's properties for ``address``, with credentials."""
    settings = read(RegistrySettings, secured(REGISTRY, address), schema_registry_url=address)
    return {**settings.registry_client(), "timeout": 10}
