"""What the environment says about security, read as the services read theirs: half of a setting is refused."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import grpc
from pydantic import ValidationError

from ordersaga_cli.line import Failed
from sagakit.runtime.settings import Settings, explained
from sagakit.runtime.tls_files import TlsFile, TlsFiles, load, problems

SettingsT = TypeVar("SettingsT", bound=Settings)


def read(kind: type[SettingsT], lent: Path | None = None, **known: str) -> SettingsT:
    """Read the settings ``kind`` from the environment, but for those that are ``known`` already.

    What the environment does not say comes from the file ``lent``, where there is one.

    Raises:
        Failed: one is bad, or half of what belongs together is missing.
    """
    try:
        make: Callable[..., SettingsT] = kind  # its types leave out where else it reads
        return make(_env_file=lent, **known)
    except ValidationError as error:
        raise Failed("; ".join(explained(error))) from None


def _belonging(settings: Settings, prefix: str) -> Iterator[str]:
    """Yield a line for TLS settings of ``prefix`` that contradict each other: a certificate needs key and authority."""
    pair = (f"{prefix}_certificate", f"{prefix}_key")
    yield from settings.missing((f"{prefix}_ca", *pair), pair)
    yield from problems(_files(settings, prefix))


def _files(settings: Settings, prefix: str) -> TlsFiles:
    names = [f"{prefix}_{part}" for part in ("certificate", "key", "ca")]
    return TlsFiles(*(TlsFile(name.upper(), getattr(settings, name)) for name in names))


class CallSettings(Settings):
    """How calls to the services are secured: in the clear, by TLS, or by TLS with a certificate of one's own."""

    grpc_tls_ca: str | None = None
    grpc_tls_certificate: str | None = None
    grpc_tls_key: str | None = None

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from _belonging(self, "grpc_tls")

    def credentials(self) -> grpc.ChannelCredentials | None:
        """Return what calls are secured by; None where they go in the clear."""
        certificate, key, authority = load(_files(self, "grpc_tls"))
        return grpc.ssl_channel_credentials(authority, key, certificate) if authority else None


class ReadingSettings(Settings):
    """How metrics are read: in the clear, by TLS, or by TLS with a certificate of one's own."""

    metrics_tls_ca: str | None = None
    metrics_tls_certificate: str | None = None
    metrics_tls_key: str | None = None

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from _belonging(self, "metrics_tls")

    def context(self) -> ssl.SSLContext | None:
        """Return what connections are secured by; None where they go in the clear."""
        if self.metrics_tls_ca is None:
            return None
        context = ssl.create_default_context(cafile=self.metrics_tls_ca)
        if self.metrics_tls_certificate:
            context.load_cert_chain(self.metrics_tls_certificate, self.metrics_tls_key)
        return context
