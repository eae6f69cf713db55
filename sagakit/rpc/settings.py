"""Settings of the gRPC server."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode

from sagakit.rpc.caller_settings import CallerSettings
from sagakit.runtime.settings import Address, Listen, is_loopback
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|[a-z][a-z0-9+.-]*://[^\s,]+")


def _names(value: object) -> object:
    if not isinstance(value, str):
        return value
    names = frozenset(name for part in value.split(",") if (name := part.strip()))
    if names and all(map(_NAME.fullmatch, names)):
        return names
    raise ValueError("must be names or URIs, several separated by commas, such as web.example,spiffe://example/console")


ClientNames = Annotated[frozenset[str], NoDecode, BeforeValidator(_names)]
"""Names of clients: DNS names, none with a ``*``, and URIs."""


class RpcSettings(CallerSettings):
    """Where the gRPC API listens, with which TLS files, to whom, and what one connection and one caller may use."""

    grpc_listen: Address = Field(default=Listen("127.0.0.1", 50051), description="Where the gRPC API listens.")
    health_listen: Address | None = Field(
        default=None, description="Where the health alone is told in the clear, for probes that know no TLS."
    )
    grpc_tls_certificate: str | None = Field(default=None, description="PEM file; with the key it switches TLS on.")
    grpc_tls_key: str | None = Field(default=None, description="PEM file of the certificate's private key.")
    grpc_tls_client_ca: str | None = Field(default=None, description="PEM file; clients must show a certificate of it.")
    grpc_tls_client_names: ClientNames | None = Field(
        default=None,
        description="Names of the clients that may call, separated by commas, as their certificates have them.",
    )
    grpc_max_connection_age_seconds: float = Field(
        default=60.0,
        gt=0,
        le=86_400,
        description="Age at which a connection ends, give or take a tenth, so that its client connects anew.",
    )

    grpc_max_connection_age_grace_seconds: float = Field(
        default=600.0,
        gt=0,
        le=86_400,
        description="How long calls may go on, streams too, on a connection that has ended by its age.",
    )
    grpc_max_connection_streams: int = Field(
        default=1000, ge=1, le=10_000, description="Calls under way on one connection; a client's others wait there."
    )
    grpc_caller_calls_per_second: float = Field(
        default=10_000.0,
        gt=0,
        le=1_000_000,
        description="Calls a second that one caller may make on average, and twice as many at once.",
    )
    grpc_caller_streams: int = Field(
        default=500, ge=1, le=10_000, description="Streams that one caller may have open at once."
    )

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        if self.serves_anyone and self.auth_none_acknowledged == "no":
            yield (
                f"AUTH_MODE: must be jwt, where GRPC_LISTEN is no loopback address (it is {str(self.grpc_listen)!r});"
                " or AUTH_NONE_ACKNOWLEDGED must be yes: whoever reaches the port may do everything"
            )
        pair = ("grpc_tls_certificate", "grpc_tls_key")
        wanted = pair if self.grpc_tls_client_names is None else (*pair, "grpc_tls_client_ca")
        yield from self.missing(wanted, (*pair, "grpc_tls_client_ca", "grpc_tls_client_names"))
        yield from problems(self.grpc_tls_files())

    def grpc_tls_files(self) -> TlsFiles:
        """Return the files by which the server speaks TLS."""
        return TlsFiles(
            TlsFile("GRPC_TLS_CERTIFICATE", self.grpc_tls_certificate),
            TlsFile("GRPC_TLS_KEY", self.grpc_tls_key),
            TlsFile("GRPC_TLS_CLIENT_CA", self.grpc_tls_client_ca),
        )

    @property
    def serves_anyone(self) -> bool:
        """Whether others than this machine may reach the API, and need no token."""
        return self.auth_mode == "none" and not is_loopback(self.grpc_listen.host)

    @property
    def sends_tokens_in_clear(self) -> bool:
        """Whether tokens come from elsewhere without TLS, so that who listens on the way can use them."""
        return self.auth_mode == "jwt" and self.grpc_tls_certificate is None and not is_loopback(self.grpc_listen.host)
