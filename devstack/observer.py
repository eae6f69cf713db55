"""What Prometheus, the collector of spans and Zipkin have in common: they watch the stack, with OBSERVE=1."""

from abc import abstractmethod
from collections.abc import Mapping

from devstack.http_server import HttpServer
from devstack.layout import Layout
from devstack.secrets import make_private
from devstack.server import Progress, quiet
from devstack.state import State


class Observer(HttpServer):
    """A server on 127.0.0.1 that is started where `up` is asked for it.

    Those that it asks or tells have their addresses in ``asks``, by their names.
    """

    READY_SECONDS, STOP_SECONDS = 60, 30

    def __init__(self, layout: Layout, state: State) -> None:
        """Know the one of ``layout``'s stack."""
        super().__init__(layout, state, layout.server_ports.get(self.NAME, 0))
        self._folder = layout.data / self.NAME

    @abstractmethod
    def prepare(self, progress: Progress) -> None:
        """Fetch or build it, so that `launch` has nothing to wait for.

        Raises:
            DevstackError: it cannot be had.
        """

    def _is_current(self, asks: Mapping[str, str]) -> bool:
        record = self._process.record
        return (record.get("asks"), record.get("edition")) == (asks, self._edition())

    def _launch(self, asks: Mapping[str, str]) -> None:
        make_private(self._folder)
        port = self._choose_port(quiet)
        command, environment = self._command(port, asks)
        self._process.launch(
            command,
            env=environment,
            record={"url": f"http://127.0.0.1:{port}", "port": port, "asks": dict(asks), "edition": self._edition()},
        )

    def _edition(self) -> str:
        """Return what names its settings of now, beside its peers."""
        return ""

    @abstractmethod
    def _command(self, port: int, peers: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
        """Write its files; return the command that runs it on ``port``, and its environment."""
