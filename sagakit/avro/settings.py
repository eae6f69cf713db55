"""Settings of the schema registry's client."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from sagakit.runtime.settings import Settings, is_or_are
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems

_REGISTRY = re.compile(r"https?://[^\s/?#]\S*")


def _registry(value: object) -> object:
    if not isinstance(value, str) or all(_REGISTRY.fullmatch(part.strip()) for part in value.split(",")):
        return value
    raise ValueError("must begin with http:// or https:// and name a host, such as http://registry:8081")


RegistryUrl = Annotated[str, BeforeValidator(_registry)]
"""A base URL of the registry, or several separated by commas."""

_PAIR = ("schema_registry_certificate_location", "schema_registry_key_location")


class RegistrySettings(Settings):
    """How to reach the schema registry (the Confluent-compatible API)."""

    schema_registry_url: RegistryUrl = Field(description="Base URL of the registry's API.")
    schema_registry_username: str | None = None
    schema_registry_password: SecretStr | None = None
    schema_registry_ca_location: str | None = None
    schema_registry_certificate_location: str | None = None
    schema_registry_key_location: str | None = None

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        login = ("schema_registry_username", "schema_registry_password")
        yield from self.missing(login, login)
        yield from self.missing(_PAIR, _PAIR)
        tls = self.given((*_PAIR, "schema_registry_ca_location"))
        if tls and not all(url.strip().startswith("https:") for url in self.schema_registry_url.split(",")):
            yield f"SCHEMA_REGISTRY_URL: must begin with https:, where {' and '.join(tls)} {is_or_are(tls)} set"
        yield from problems(self.registry_tls_files())

    def registry_tls_files(self) -> TlsFiles:
        """Return the files by which the client speaks TLS."""
        return TlsFiles(
            TlsFile("SCHEMA_REGISTRY_CERTIFICATE_LOCATION", self.schema_registry_certificate_location),
            TlsFile("SCHEMA_REGISTRY_KEY_LOCATION", self.schema_registry_key_location),
            TlsFile("SCHEMA_REGISTRY_CA_LOCATION", self.schema_registry_ca_location),
        )

    def registry_client(self) -> dict[str, str]:
        """Return the properties of confluent-kafka's ``SchemaRegistryClient``."""
        properties = {"url": self.schema_registry_url}
        if self.schema_registry_username and self.schema_registry_password:
            properties["basic.auth.user.info"] = (
                f"{self.schema_registry_username}:{self.schema_registry_password.get_secret_value()}"
            )
        tls = {
            "ssl.ca.location": self.schema_registry_ca_location,
            "ssl.certificate.location": self.schema_registry_certificate_location,
            "ssl.key.location": self.schema_registry_key_location,
        }
        return properties | {name: path for name, path in tls.items() if path is not None}
