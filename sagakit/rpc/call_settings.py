"""Settings of whoever calls the services: in the clear, by TLS, or by TLS with a certificate of one's own."""

from collections.abc import Iterator

import grpc
from pydantic import Field

from sagakit.runtime.client_tls import belonging, files
from sagakit.runtime.settings import Settings
from sagakit.runtime.tls_files import load


class CallSettings(Settings):
    """How calls to the services are secured."""

    grpc_tls_ca: str | None = Field(default=None, description="PEM file; the authority of the services' certificates.")
    grpc_tls_certificate: str | None = Field(default=None, description="PEM file; the caller's own certificate.")
    grpc_tls_key: str | None = Field(default=None, description="PEM file of that certificate's private key.")

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from belonging(self, "grpc_tls")

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what calls are secured by; None where they go in the clear."""
        certificate, key, authority = load(files(self, "grpc_tls"))
        return grpc.ssl_channel_credentials(authority, key, certificate) if authority else None
