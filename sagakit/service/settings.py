"""The settings of every service."""

from collections.abc import Iterator
from typing import Literal

from pydantic import Field

from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings
from sagakit.postgres.settings import DatabaseSettings
from sagakit.rpc.settings import RpcSettings
from sagakit.runtime.settings import Address, Listen, Settings
from sagakit.runtime.tls_files import TlsFile, TlsFiles, problems

_PAIR = ("metrics_tls_certificate", "metrics_tls_key")


class MetricsSettings(Settings):
    """Where the metrics are served, and with which TLS files."""

    metrics_listen: Address = Field(default=Listen("127.0.0.1", 9101), description="Where Prometheus reads metrics.")
    metrics_tls_certificate: str | None = Field(default=None, description="PEM file; with the key it switches TLS on.")
    metrics_tls_key: str | None = Field(default=None, description="PEM file of the certificate's private key.")
    metrics_tls_client_ca: str | None = Field(
        default=None, description="PEM file; readers must show a certificate of it."
    )

    def problems(self) -> Iterator[str]:
        """Yield a line for settings that contradict each other; it begins with a setting's name."""
        yield from super().problems()
        yield from self.missing(_PAIR, (*_PAIR, "metrics_tls_client_ca"))
        yield from problems(self.metrics_tls_files())

    def metrics_tls_files(self) -> TlsFiles:
        """Return the files by which the metrics' server speaks TLS."""
        return TlsFiles(
            TlsFile("METRICS_TLS_CERTIFICATE", self.metrics_tls_certificate),
            TlsFile("METRICS_TLS_KEY", self.metrics_tls_key),
            TlsFile("METRICS_TLS_CLIENT_CA", self.metrics_tls_client_ca),
        )


class ServiceSettings(RpcSettings, KafkaSettings, RegistrySettings, DatabaseSettings, MetricsSettings):
    """The settings that every service reads from its environment."""

    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO", description="Least level logged.")
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto is console on a terminal and json elsewhere."
    )
    service_version: str = Field(
        default="unknown",
        min_length=1,
        max_length=100,
        description="What it was built from, told in its metrics: a version, perhaps with + and a revision.",
    )
    consumer_batch_size: int = Field(
        default=500, ge=1, le=10_000, description="Most messages handled in one transaction."
    )
    shutdown_grace_seconds: float = Field(
        default=10.0, gt=0, le=600, description="How long calls under way may go on after SIGTERM, in seconds."
    )
