"""Settings from environment variables: typed, read once, each bad value told in a line of its own."""

import ipaddress
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self, TypeVar

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from chassis.connecting import DatabaseAddress
from chassis.tls import authority_problems, pair_problems

_HIGHEST_PORT = 65535
_BROKER = re.compile(
    r"(?:(?:SASL_)?(?:PLAINTEXT|SSL)://)?(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^:;\[\]\s/]+))(?::(?P<port>[0-9]{1,5}))?"
)
_REGISTRY = re.compile(r"https?://[^\s/?#]\S*")
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^:\[\]\s/]+)):(?P<port>[0-9]{1,5})")


class Listen(NamedTuple):
    """Where a server listens."""

    host: str
    """A name or an address; one of IPv6 without brackets."""
    port: int

    def __str__(self) -> str:
        """Write it as ``host:port``, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _listen(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = _ADDRESS.fullmatch(value)
    if found and int(found["port"]) <= _HIGHEST_PORT and (found["host"] or _is_ipv6(found["ipv6"])):
        return Listen(found["host"] or found["ipv6"], int(found["port"]))
    raise ValueError("must be host:port, such as 127.0.0.1:50051; an IPv6 address stands in brackets: [::1]:50051")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True


def _brokers(value: object) -> object:
    entries = [entry for part in value.split(",") if (entry := part.strip())] if isinstance(value, str) else None
    if entries is None or (entries and all(map(_is_broker, entries))):
        return value
    raise ValueError("must be host:port, several separated by commas, such as kafka-1:9092,kafka-2:9092")


def _is_broker(entry: str) -> bool:
    found = _BROKER.fullmatch(entry)
    if found is None or not 0 < int(found["port"] or 1) <= _HIGHEST_PORT:
        return False
    return bool(found["host"]) or _is_ipv6(found["ipv6"])


def _registry(value: object) -> object:
    if not isinstance(value, str) or all(_REGISTRY.fullmatch(part.strip()) for part in value.split(",")):
        return value
    raise ValueError("must begin with http:// or https:// and name a host, such as http://registry:8081")


def _database(value: object) -> object:
    return DatabaseAddress.parse(value) if isinstance(value, str) else value


Address = Annotated[Listen, NoDecode, BeforeValidator(_listen)]
"""A ``host:port`` or ``[address]:port`` to listen on."""
Brokers = Annotated[str, BeforeValidator(_brokers)]
"""Kafka's addresses as librdkafka takes them, separated by commas; a port that is left out is 9092."""
RegistryUrl = Annotated[str, BeforeValidator(_registry)]
"""A base URL of the registry, or several separated by commas."""
DatabaseUrl = Annotated[DatabaseAddress, NoDecode, BeforeValidator(_database)]
"""A PostgreSQL address in any form that libpq takes."""


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(frozen=True, extra="ignore", arbitrary_types_allowed=True, env_ignore_empty=True)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        if problems := list(self._problems()):
            raise ValueError("\n".join(problems))
        return self

    def _problems(self) -> Iterator[str]:
        """Say which settings do not fit together, in lines that begin with a setting's name."""
        yield from ()

    def _set(self, fields: Iterable[str]) -> list[str]:
        return [field.upper() for field in fields if getattr(self, field) is not None]

    def _missing(self, wanted: Sequence[str], because: Sequence[str]) -> Iterator[str]:
        """Say which of the settings ``wanted`` are not set, where one of those in ``because`` is."""
        present, absent = self._set(because), sorted({field.upper() for field in wanted} - {*self._set(wanted)})
        if present and absent:
            yield f"{', '.join(absent)}: must be set too, where {' and '.join(present)} {_is(present)}"


def _is(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


_SASL = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
_KAFKA_PAIR = ("kafka_ssl_certificate_location", "kafka_ssl_key_location")
_KAFKA_SSL = ("kafka_ssl_ca_location", *_KAFKA_PAIR)


class KafkaSettings(_Settings):
    """How to reach Kafka. The security settings are librdkafka's, off by default."""

    kafka_bootstrap_servers: Brokers = Field(description="Brokers, host:port, separated by commas.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_ssl_certificate_location: str | None = None
    kafka_ssl_key_location: str | None = None

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        protocol, sasl, ssl = self.kafka_security_protocol, self._set(_SASL), self._set(_KAFKA_SSL)
        if sasl or not protocol.startswith("SASL_"):
            yield from self._missing(_SASL, _SASL)
        else:
            yield f"{', '.join(map(str.upper, _SASL))}: must be set, where KAFKA_SECURITY_PROTOCOL is {protocol}"
        if sasl and not protocol.startswith("SASL_"):
            yield _other_protocol("SASL_PLAINTEXT or SASL_SSL", sasl, protocol)
        if ssl and not protocol.endswith("SSL"):
            yield _other_protocol("SSL or SASL_SSL", ssl, protocol)
        yield from self._missing(_KAFKA_PAIR, _KAFKA_PAIR)
        if not (self.kafka_ssl_ca_location and Path(self.kafka_ssl_ca_location).is_dir()):  # librdkafka takes a folder
            yield from authority_problems("KAFKA_SSL_CA_LOCATION", self.kafka_ssl_ca_location)
        pair = (self.kafka_ssl_certificate_location, self.kafka_ssl_key_location)
        yield from pair_problems(("KAFKA_SSL_CERTIFICATE_LOCATION", "KAFKA_SSL_KEY_LOCATION"), *pair)

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


def _other_protocol(wanted: str, present: Sequence[str], protocol: str) -> str:
    where = f"where {' and '.join(present)} {_is(present)} set"
    return f"KAFKA_SECURITY_PROTOCOL: must be {wanted}, {where} (it is {protocol!r})"


class RegistrySettings(_Settings):
    """How to reach the schema registry (the Confluent-compatible API)."""

    schema_registry_url: RegistryUrl = Field(description="Base URL of the registry's API.")
    schema_registry_username: str | None = None
    schema_registry_password: SecretStr | None = None
    schema_registry_ca_location: str | None = None

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        login = ("schema_registry_username", "schema_registry_password")
        yield from self._missing(login, login)
        if self.schema_registry_ca_location and not self.schema_registry_url.startswith("https:"):
            yield "SCHEMA_REGISTRY_URL: must begin with https:, where SCHEMA_REGISTRY_CA_LOCATION is set"
        yield from authority_problems("SCHEMA_REGISTRY_CA_LOCATION", self.schema_registry_ca_location)

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

    def _problems(self) -> Iterator[str]:
        yield from super()._problems()
        pair = ("grpc_tls_certificate", "grpc_tls_key")
        yield from self._missing(pair, (*pair, "grpc_tls_client_ca"))
        yield from pair_problems(("GRPC_TLS_CERTIFICATE", "GRPC_TLS_KEY"), self.grpc_tls_certificate, self.grpc_tls_key)
        yield from authority_problems("GRPC_TLS_CLIENT_CA", self.grpc_tls_client_ca)


SettingsT = TypeVar("SettingsT", bound=_Settings)


def read(settings: type[SettingsT]) -> SettingsT:
    """Read ``settings`` from the environment, or end the process with one line for each bad value.

    Raises:
        SystemExit: with code 2, where a value is missing or bad; the lines are on standard error.
    """
    try:
        return settings()
    except ValidationError as error:
        print(*explained(error), sep="\n", file=sys.stderr)  # noqa: T201 - no logging yet
        raise SystemExit(2) from None


def explained(error: ValidationError) -> list[str]:
    """Return a line for each bad value: the setting's name and what is wrong. A secret is not in it."""
    lines: list[str] = []
    for problem in error.errors(include_url=False):
        lines += _lines(problem["loc"], problem["type"], problem["msg"].removeprefix("Value error, "), problem["input"])
    return lines


def _lines(location: tuple[int | str, ...], kind: str, text: str, value: object) -> list[str]:
    if not location:  # settings that do not fit together: each line names its own
        return text.splitlines()
    name = str(location[0]).upper()
    if kind == "missing":
        return [f"{name}: is not set"]
    secret = "PASSWORD" in name or "DATABASE_URL" in name or "@" in str(value)
    return [f"{name}: {text}" + ("" if secret else f" (it is {value!r})")]
