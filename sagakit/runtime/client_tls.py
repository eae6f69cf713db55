"""The TLS settings of a client: the authority that it believes, and perhaps a certificate of its own."""

import ssl
from collections.abc import Iterator

from pydantic import Field

from sagakit.runtime.settings import Settings
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems


def belonging(settings: Settings, prefix: str) -> Iterator[str]:
    """Yield a line for TLS settings of ``prefix`` that contradict each other: a certificate needs key and authority."""
    pair = (f"{prefix}_certificate", f"{prefix}_key")
    yield from settings.missing((f"{prefix}_ca", *pair), pair)
    yield from problems(files(settings, prefix))


def files(settings: Settings, prefix: str) -> TlsFiles:
    """Return the files that the settings of ``prefix`` name."""
    names = [f"{prefix}_{part}" for part in ("certificate", "key", "ca")]
    return TlsFiles(*(TlsFile(name.upper(), getattr(settings, name)) for name in names))


class ReadingSettings(Settings):
    """How metrics are read: in the clear, by TLS, or by TLS with a certificate of one's own."""

    metrics_tls_ca: str | None = Field(default=None, description="PEM file; the authority of metrics' certificates.")
    metrics_tls_certificate: str | None = Field(default=None, description="PEM file; the reader's own certificate.")
    metrics_tls_key: str | None = Field(default=None, description="PEM file of that certificate's private key.")

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from belonging(self, "metrics_tls")

    def context(self) -> ssl.SSLContext | None:
        """Return what connections are secured by; None where they go in the clear."""
        if self.metrics_tls_ca is None:
            return None
        context = ssl.create_default_context(cafile=self.metrics_tls_ca)
        if self.metrics_tls_certificate:
            context.load_cert_chain(self.metrics_tls_certificate, self.metrics_tls_key)
        return context
