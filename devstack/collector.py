"""OpenTelemetry's collector, which takes spans by OTLP and hands them to Zipkin: a part of what OBSERVE=1 starts."""

import os
import socket
from collections.abc import Mapping

import yaml

from devstack.go_programs import built_collector
from devstack.java import environment
from devstack.observer import Observer
from devstack.server import Progress, quiet

_ELSEWHERE = ("OTEL_EXPORTER_OTLP_", "OTEL_TRACES_EXPORTER", "OTEL_SDK_DISABLED")
"""How variables begin by which the caller says himself where spans go, or that they go nowhere."""
_BATCH_MILLISECONDS = 500
"""How long a service keeps spans: who has placed an order looks for its trace at once."""


class Collector(Observer):
    """One collector; its peer is ``zipkin``."""

    NAME = "collector"

    @property
    def settings(self) -> dict[str, str]:
        """What lets a service record every trace and send it here; nothing where this does not run.

        A caller's own variables come first: if they say where spans go, then nothing is said here.
        """
        if self.pid is None or any(name.startswith(_ELSEWHERE) for name in os.environ):
            return {}
        ours = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": self.url,
            "OTEL_TRACES_SAMPLER": "parentbased_always_on",
            "OTEL_BSP_SCHEDULE_DELAY": str(_BATCH_MILLISECONDS),
        }
        return {name: value for name, value in ours.items() if name not in os.environ}

    def prepare(self, progress: Progress) -> None:
        """Build it."""
        built_collector(progress)

    def ready(self) -> bool:
        """Say whether it listens."""
        port = int(self._process.record.get("port", 0))
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def _command(self, port: int, peers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        file = self._folder / "collector.yaml"
        configuration = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": f"127.0.0.1:{port}"}}}},
            "exporters": {"zipkin": {"endpoint": f"{peers['zipkin']}/api/v2/spans"}},
            "service": {
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
                "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["zipkin"]}},
            },
        }
        file.write_text(yaml.safe_dump(configuration, sort_keys=False))
        return [str(built_collector(quiet)), "--config", str(file)], environment()
