"""What Prometheus, the collector of spans and Zipkin have in common: they watch the stack, with OBSERVE=1."""

import urllib.request
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from devstack.layout import Layout, choose_port
from devstack.processes import ManagedProcess
from devstack.secrets import make_private
from devstack.server import Progress, Server, quiet
from devstack.state import State

_READY_SECONDS = 60
_STOP_SECONDS = 30


class Observer(Server):
    """A server on 127.0.0.1 that is started where `up` is asked for it."""

    NAME: ClassVar[str]
    HEALTH: ClassVar[str] = ""
    """The path that it answers once it is ready."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the one of ``layout``'s stack."""
        super().__init__(ManagedProcess(state, self.NAME, layout.logs / f"{self.NAME}.log"), _STOP_SECONDS)
        self._folder, self._wanted_port = layout.data / self.NAME, layout.server_ports.get(self.NAME, 0)

    @property
    def url(self) -> str:
        """Where it is reached; empty before the first start."""
        return str(self._process.record.get("url", ""))

    @property
    def address(self) -> str:
        """Where it is reached, for people."""
        return self.url

    @abstractmethod
    def prepare(self, progress: Progress) -> None:
        """Fetch or build it, so that `launch` has nothing to wait for.

        Raises:
            DevstackError: it cannot be had.
        """

    def check_port(self, progress: Progress = quiet) -> None:
        """Check that it can listen where it is told to, unless it runs already.

        Raises:
            DevstackError: the port is in use, and stays so.
        """
        if self.pid is None:
            self._choose_port(progress)

    def launch(self, peers: Mapping[str, str]) -> None:
        """Start it where it does not run, or was started by other settings, without waiting until it is ready.

        ``peers`` are the addresses of those that it asks or tells, by their names.
        """
        record, edition = self._process.record, self._edition()
        if self.pid is not None and (record.get("peers"), record.get("edition")) == (peers, edition):
            return
        self.stop()
        make_private(self._folder)
        port = self._choose_port(quiet)
        command, environment = self._command(port, peers)
        self._process.launch(
            command,
            env=environment,
            record={"url": f"http://127.0.0.1:{port}", "port": port, "peers": dict(peers), "edition": edition},
        )

    def start(self, progress: Progress = quiet) -> None:
        """Start it again, as it was, where it does not run; return when it answers."""
        progress("starting")
        self.launch(dict(self._process.record.get("peers", {})))
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
            with urllib.request.urlopen(f"{self.url}{self.HEALTH}", timeout=2) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
        except OSError:
            return False

    def _edition(self) -> str:
        """Return what names its settings of now, beside its peers."""
        return ""

    @abstractmethod
    def _command(self, port: int, peers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Write its files; return the command that runs it on ``port``, and its environment."""

    def _choose_port(self, progress: Progress) -> int:
        had = int(self._process.record.get("port", 0))
        return choose_port(self._wanted_port, had, self.NAME, f"{self.NAME.upper()}_PORT", progress)
