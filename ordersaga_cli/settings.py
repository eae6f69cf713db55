"""What the environment says about security, read as the services read theirs: half of a setting is refused."""

from collections.abc import Iterator
from typing import TypeVar

import grpc
from pydantic import ValidationError

from ordersaga_cli.line import Failed
from sagakit.runtime.settings import Settings, explained
from sagakit.runtime.tls_files import TlsFile, TlsFiles, load, problems

SettingsT = TypeVar("SettingsT", bound=Settings)


def read(kind: type[SettingsT], **known: str) -> SettingsT:
    """Read the settings ``kind`` from the environment, but for those that are ``known`` already.

    Raises:
        Failed: one is bad, or half of what belongs together is missing.
    """
    try:
        return kind(**known)
    except ValidationError as error:
        raise Failed("; ".join(explained(error))) from None


class CallSettings(Settings):
    """How calls to the services are secured: in the clear, by TLS, or by TLS with a certificate of one's own."""

    grpc_tls_ca: str | None = None
    grpc_tls_certificate: str | None = None
    grpc_tls_key: str | None = None

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        pair = ("grpc_tls_certificate", "grpc_tls_key")
        yield from self.missing(("grpc_tls_ca", *pair), pair)
        yield from problems(self._files())

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what calls are secured by; None where they go in the clear."""
        certificate, key, authority = load(self._files())
        return grpc.ssl_channel_credentials(authority, key, certificate) if authority else None

    def _files(self) -> TlsFiles:
        return TlsFiles(
            TlsFile("GRPC_TLS_CERTIFICATE", self.grpc_tls_certificate),
            TlsFile("GRPC_TLS_KEY", self.grpc_tls_key),
            TlsFile("GRPC_TLS_CA", self.grpc_tls_ca),
        )
