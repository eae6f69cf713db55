"""Properties of the Kafka and registry clients, with the environment's security settings."""

from typing import Any

from pydantic import ValidationError

from ordersaga_cli.line import Failed
from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings


def kafka_client(address: str) -> dict[str, str | int | float | bool]:
    """Return the librdkafka properties for the brokers at ``address``, with the environment's security settings."""
    try:
        return {**KafkaSettings(kafka_bootstrap_servers=address).kafka_client(), "log_level": 0}
    except ValidationError as error:
        raise _bad_setting(error) from None


def registry_client(address: str) -> dict[str, Any]:
    """Return the registry client's properties for ``address``, with the environment's credentials."""
    try:
        return {**RegistrySettings(schema_registry_url=address).registry_client(), "timeout": 10}
    except ValidationError as error:
        raise _bad_setting(error) from None


def _bad_setting(error: ValidationError) -> Failed:
    problem = error.errors(include_url=False, include_input=False)[0]
    return Failed(f"{str(problem['loc'][0]).upper()}: {problem['msg']}")
