"""Settings from environment variables: typed, read once, each bad value told in a line of its own."""

import sys
from typing import Annotated, Literal, NamedTuple, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

_HIGHEST_PORT = 65535


class Listen(NamedTuple):
    """Where a server listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as ``host:port``."""
        return f"{self.host}:{self.port}"


def _listen(value: object) -> object:
    if not isinstance(value, str):
        return value
    host, _, port = value.rpartition(":")
    if not host or not port.isdecimal() or not 0 <= int(port) <= _HIGHEST_PORT:
        msg = "must be host:port, such as 127.0.0.1:50051"
        raise ValueError(msg)
    return Listen(host, int(port))


def _postgresql_url(value: object) -> object:
    try:
        url = make_url(str(value))
    except ArgumentError:
        url = None
    if url is None or url.get_backend_name() not in {"postgresql", "postgres"} or not url.database:
        msg = "must be postgresql://user:password@host:port/database"
        raise ValueError(msg)
    return url.set(drivername="postgresql+psycopg")


Address = Annotated[Listen, NoDecode, BeforeValidator(_listen)]
"""A ``host:port`` to listen on."""
DatabaseUrl = Annotated[URL, NoDecode, BeforeValidator(_postgresql_url)]
"""A PostgreSQL address; what libpq takes after ``?`` (``sslmode`` and so on) is passed on."""


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, env_ignore_empty=True)


class KafkaSettings(_Settings):
    """How to reach Kafka. The security settings are librdkafka's, off by default."""

    kafka_bootstrap_servers: str = Field(description="Brokers, host:port, separated by commas.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_ssl_certificate_location: str | None = None
    kafka_ssl_key_location: str | None = None

    def kafka_client(self) -> dict[str, str | int | float | bool]:
        """Return the librdkafka properties every client of the cluster needs."""
        password = self.kafka_sasl_password
        properties = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
            "sasl.mechanism": self.kafka_sasl_mechanism,
            "sasl.username": self.kafka_sasl_username,
            "sasl.password": password.get_secret_value() if password else None,
            "ssl.ca.location": self.kafka_ssl_ca_location,
            "ssl.certificate.location": self.kafka_ssl_certificate_location,
            "ssl.key.location": self.kafka_ssl_key_location,
        }
        return {name: value for name, value in properties.items() if value is not None}


class RegistrySettings(_Settings):
    """How to reach the schema registry (the Confluent-compatible API)."""

    schema_registry_url: str = Field(pattern="^https?://", description="Base URL of the registry's API.")
    schema_registry_username: str | None = None
    schema_registry_password: SecretStr | None = None
    schema_registry_ca_location: str | None = None

    def registry_client(self) -> dict[str, str]:
        """Return the properties of confluent-kafka's ``SchemaRegistryClient``."""
        properties = {"url": self.schema_registry_url}
        if self.schema_registry_username and self.schema_registry_password:
            properties["basic.auth.user.info"] = (
                f"{self.schema_registry_username}:{self.schema_registry_password.get_secret_value()}"
            )
        if self.schema_registry_ca_location:
            properties["ssl.ca.location"] = self.schema_registry_ca_location
        return properties


class DatabaseSettings(_Settings):
    """How to reach the service's own database."""

    database_url: DatabaseUrl = Field(description="postgresql://user:password@host:port/database")


class ServiceSettings(KafkaSettings, RegistrySettings, DatabaseSettings):
    """What every service reads from its environment."""

    grpc_listen: Address = Field(default=Listen("127.0.0.1", 50051), description="Where the gRPC API listens.")
    grpc_tls_certificate: str | None = Field(default=None, description="PEM file; with the key it switches TLS on.")
    grpc_tls_key: str | None = Field(default=None, description="PEM file of the certificate's private key.")
    grpc_tls_client_ca: str | None = Field(default=None, description="PEM file; clients must show a certificate of it.")
    grpc_max_connection_age_seconds: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Age at which a connection is given up, give or take a tenth, so that its client connects anew.",
    )
    metrics_listen: Address = Field(default=Listen("127.0.0.1", 9101), description="Where Prometheus reads metrics.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal and json elsewhere."
    )
    consumer_batch_size: int = Field(
        default=500, ge=1, le=10_000, description="Most messages handled in one transaction."
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, gt=0, le=600, description="How long calls under way may go on after SIGTERM, in seconds."
    )


SettingsT = TypeVar("SettingsT", bound=_Settings)


def read(settings: type[SettingsT]) -> SettingsT:
    """Read ``settings`` from the environment, or end the process with one line for each bad value.

    Raises:
        SystemExit: with code 2, where a value is missing or bad; the lines are on standard error.
    """
    try:
        return settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            print(_line(problem["loc"], problem["type"], problem["msg"], problem["input"]), file=sys.stderr)  # noqa: T201 - no logging yet
        raise SystemExit(2) from None


def _line(location: tuple[int | str, ...], kind: str, text: str, value: object) -> str:
    name = str(location[0]).upper()
    if kind == "missing":
        return f"{name}: is not set"
    secret = "PASSWORD" in name or "DATABASE_URL" in name
    return f"{name}: {text.removeprefix('Value error, ')}" + ("" if secret else f" (it is {value!r})")
