"""A Prometheus beside the stack: a part of what OBSERVE=1 starts."""

from collections.abc import Mapping
from hashlib import sha256

import yaml

from devstack.go_programs import built
from devstack.java import environment
from devstack.layout import Layout
from devstack.observer import Observer
from devstack.rules import RULES
from devstack.security import Security
from devstack.server import Progress, quiet
from devstack.state import State

_INTERVAL = "5s"
_RETENTION = "1d"


class Prometheus(Observer):
    """One Prometheus with the project's rules. It tells nobody of alerts: its API shows them.

    Its peers are the services' metrics; their names become the label ``job``.
    """

    NAME = "prometheus"
    HEALTH = "/-/ready"

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the Prometheus of ``layout``'s stack."""
        super().__init__(layout, state)
        self._security = Security(layout, state)

    def prepare(self, progress: Progress) -> None:
        """Build it."""
        built(self.NAME, progress)

    def _edition(self) -> str:
        return sha256(RULES.read_bytes()).hexdigest()[:12]

    def _command(self, port: int, peers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        file = self._folder / "prometheus.yaml"
        file.write_text(self._configuration(peers))
        options = {
            "config.file": file,
            "storage.tsdb.path": self._folder / "data",
            "storage.tsdb.retention.time": _RETENTION,
            "web.listen-address": f"127.0.0.1:{port}",
        }
        return [str(built(self.NAME, quiet)), *(f"--{name}={value}" for name, value in options.items())], environment()

    def _configuration(self, reads: Mapping[str, str]) -> str:
        """Return its file: where it reads, and by which rules."""
        closed: dict[str, object] = {}
        if self._security.on:
            closed = {"scheme": "https", "tls_config": {"ca_file": str(self._security.ca)}}
        return yaml.safe_dump(
            {
                "global": {"scrape_interval": _INTERVAL, "evaluation_interval": _INTERVAL},
                "rule_files": [str(RULES)],
                "scrape_configs": [
                    {"job_name": name, "static_configs": [{"targets": [address]}], **closed}
                    for name, address in reads.items()
                ],
            },
            sort_keys=False,
        )
