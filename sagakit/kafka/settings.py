"""Settings of Kafka's clients."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from sagakit.runtime.settings import HIGHEST_PORT, Settings, is_ipv6, is_or_are
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems
from sagakit.runtime.urls import is_trustworthy

_BROKER = re.compile(
    r"(?:(?:SASL_)?(?:PLAINTEXT|SSL)://)?(?:\[(?P<ipv6>[^\[\]\s]+)\]|(?P<host>[^:;\[\]\s/]+))(?::(?P<port>[0-9]{1,5}))?"
)


def _brokers(value: object) -> object:
    entries = [entry for part in value.split(",") if (entry := part.strip())] if isinstance(value, str) else None
    if entries is None or (entries and all(map(_is_broker, entries))):
        return value
    raise ValueError("must be host:port, several separated by commas, such as kafka-1:9092,kafka-2:9092")


def _is_broker(entry: str) -> bool:
    found = _BROKER.fullmatch(entry)
    if found is None or not 0 < int(found["port"] or 1) <= HIGHEST_PORT:
        return False
    return bool(found["host"]) or is_ipv6(found["ipv6"])


Brokers = Annotated[str, BeforeValidator(_brokers)]
"""Kafka's addresses as librdkafka takes them, separated by commas; a port that is left out is 9092."""
_SASL = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
_TOKEN = ("kafka_sasl_token_url", "kafka_sasl_token_scope", "kafka_sasl_token_ca_location")
_OAUTH = "OAUTHBEARER"
_KAFKA_PAIR = ("kafka_ssl_certificate_location", "kafka_ssl_key_location")
_KAFKA_SSL = ("kafka_ssl_ca_location", *_KAFKA_PAIR)


class KafkaSettings(Settings):
    """How to reach Kafka. The security settings are librdkafka's, off by default."""

    kafka_bootstrap_servers: Brokers = Field(description="Brokers, host:port, separated by commas.")
    kafka_security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    kafka_sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_sasl_token_url: str | None = None
    kafka_sasl_token_scope: str | None = None
    kafka_sasl_token_ca_location: str | None = None
    kafka_ssl_ca_location: str | None = None
    kafka_ssl_certificate_location: str | None = None
    kafka_ssl_key_location: str | None = None

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        protocol, sasl, ssl = self.kafka_security_protocol, self.given(_SASL), self.given(_KAFKA_SSL)
        if sasl or not protocol.startswith("SASL_"):
            yield from self.missing(_SASL, _SASL)
        else:
            yield f"{', '.join(map(str.upper, _SASL))}: must be set, where KAFKA_SECURITY_PROTOCOL is {protocol}"
        if sasl and not protocol.startswith("SASL_"):
            yield _other_protocol("SASL_PLAINTEXT or SASL_SSL", sasl, protocol)
        yield from self._token_problems()
        if ssl and not protocol.endswith("SSL"):
            yield _other_protocol("SSL or SASL_SSL", ssl, protocol)
        yield from self.missing(_KAFKA_PAIR, _KAFKA_PAIR)
        yield from problems(tls_files(self.kafka_client()))

    def _token_problems(self) -> Iterator[str]:
        """Yield what is wrong with where the tokens of OAUTHBEARER come from."""
        tokens, url = self.given(_TOKEN), self.kafka_sasl_token_url
        if self.kafka_sasl_mechanism == _OAUTH and url is None:
            yield f"KAFKA_SASL_TOKEN_URL: must be set too, where KAFKA_SASL_MECHANISM is {_OAUTH}"
        if tokens and self.kafka_sasl_mechanism != _OAUTH:
            where = f"{' and '.join(tokens)} {is_or_are(tokens)} set"
            yield f"KAFKA_SASL_MECHANISM: must be {_OAUTH}, where {where} (it is {self.kafka_sasl_mechanism!r})"
        if url is not None and not is_trustworthy(url):
            yield (
                "KAFKA_SASL_TOKEN_URL: must begin with https://, because the password is sent there,"
                " be of ASCII without \\, and have a host and a port alone before its path"
            )
        authority = TlsFile("KAFKA_SASL_TOKEN_CA_LOCATION", self.kafka_sasl_token_ca_location)
        yield from problems(TlsFiles(TlsFile("", None), TlsFile("", None), authority))

    def kafka_client(self) -> dict[str, str | int | float | bool]:
        """Return the librdkafka properties that every client of the cluster needs."""
        password = self.kafka_sasl_password.get_secret_value() if self.kafka_sasl_password else None
        login = (
            {
                "sasl.oauthbearer.method": "oidc",
                "sasl.oauthbearer.client.id": self.kafka_sasl_username,
                "sasl.oauthbearer.client.secret": password,
                "sasl.oauthbearer.token.endpoint.url": self.kafka_sasl_token_url,
                "sasl.oauthbearer.scope": self.kafka_sasl_token_scope,
                "https.ca.location": self.kafka_sasl_token_ca_location,
            }
            if self.kafka_sasl_mechanism == _OAUTH
            else {"sasl.username": self.kafka_sasl_username, "sasl.password": password}
        )
        properties = {
            "bootstrap.servers": self.kafka_bootstrap_servers,
            "security.protocol": self.kafka_security_protocol,
            "sasl.mechanism": self.kafka_sasl_mechanism,
            **login,
            "ssl.ca.location": self.kafka_ssl_ca_location,
            "ssl.certificate.location": self.kafka_ssl_certificate_location,
            "ssl.key.location": self.kafka_ssl_key_location,
        }
        return {name: value for name, value in properties.items() if value is not None}


def tls_files(client: Mapping[str, object]) -> TlsFiles:
    """Return the TLS files that the librdkafka properties ``client`` name.

    A folder of authorities is left out: whatever lies there is looked up anew for each connection.
    """
    authority = _path(client, "ssl.ca.location")
    return TlsFiles(
        TlsFile("KAFKA_SSL_CERTIFICATE_LOCATION", _path(client, "ssl.certificate.location")),
        TlsFile("KAFKA_SSL_KEY_LOCATION", _path(client, "ssl.key.location")),
        TlsFile("KAFKA_SSL_CA_LOCATION", None if authority and Path(authority).is_dir() else authority),
    )


def _path(client: Mapping[str, object], name: str) -> str | None:
    found = client.get(name)
    return found if isinstance(found, str) else None


def _other_protocol(wanted: str, present: Sequence[str], protocol: str) -> str:
    where = f"where {' and '.join(present)} {is_or_are(present)} set"
    return f"KAFKA_SECURITY_PROTOCOL: must be {wanted}, {where} (it is {protocol!r})"
