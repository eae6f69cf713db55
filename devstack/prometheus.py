"""A Prometheus beside the stack: what OBSERVE=1 starts."""

import urllib.request
from collections.abc import Mapping
from hashlib import sha256

import yaml

from devstack.go_programs import built
from devstack.java import environment
from devstack.layout import Layout, choose_port
from devstack.processes import ManagedProcess
from devstack.rules import RULES
from devstack.secrets import make_private
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State

NAME = "prometheus"
_INTERVAL = "5s"
_RETENTION = "1d"
_READY_SECONDS = 60
_STOP_SECONDS = 30


class Prometheus(Server):
    """One Prometheus on 127.0.0.1, with the project's rules. It tells nobody of alerts: its API shows them."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the Prometheus of ``layout``'s stack."""
        super().__init__(ManagedProcess(state, NAME, layout.logs / f"{NAME}.log"), _STOP_SECONDS)
        self._folder, self._security = layout.data / NAME, Security(layout, state)
        self._wanted_port = layout.server_ports.get(NAME, 0)

    @property
    def url(self) -> str:
        """The base of its API; empty before the first start."""
        return str(self._process.record.get("url", ""))

    address = url

    def prepare(self, progress: Progress) -> None:
        """Build it, so that `launch` has nothing to wait for.

        Raises:
            DevstackError: it cannot be built.
        """
        built(NAME, progress)

    def launch(self, reads: Mapping[str, str]) -> None:
        """Start it where it does not run, or reads elsewhere or by other rules, without waiting until it is ready.

        ``reads`` are the addresses of the services' metrics by the services' names, which become the label ``job``.
        """
        record, file = self._process.record, self._folder / "prometheus.yaml"
        rules = sha256(RULES.read_bytes()).hexdigest()[:12]
        if self.pid is not None and (record.get("reads"), record.get("rules")) == (reads, rules):
            return
        self.stop()
        make_private(self._folder)
        file.write_text(self._configuration(reads))
        port = choose_port(self._wanted_port, record.get("port", 0), "Prometheus", "PROMETHEUS_PORT")
        options = {
            "config.file": file,
            "storage.tsdb.path": self._folder / "data",
            "storage.tsdb.retention.time": _RETENTION,
            "web.listen-address": f"127.0.0.1:{port}",
        }
        self._process.launch(
            [str(built(NAME, quiet)), *(f"--{name}={value}" for name, value in options.items())],
            env=environment(),
            record={
                "url": f"http://127.0.0.1:{port}",
                "port": port,
                "reads": dict(reads),
                "rules": rules,
            },
        )

    def start(self, progress: Progress = quiet) -> None:
        """Start it again, as it was, where it does not run; return when it answers."""
        progress("starting")
        self.launch(dict(self._process.record.get("reads", {})))
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            DevstackError: it ended, or took too long.
        """
        self._process.wait_until(self.ready, _READY_SECONDS)

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
        except OSError:
            return False

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
