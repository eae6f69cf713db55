"""What the console and those that watch the stack have in common: one port, at which they say that they are ready."""

import ssl
import urllib.request
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from devstack.layout import Layout
from devstack.ports import choose_port
from devstack.processes import ManagedProcess
from devstack.server import Progress, Server, quiet
from devstack.state import State


class HttpServer(Server):
    """A server that is told whom it asks; its record has that as ``asks``, and as ``url`` where it listens."""

    NAME: ClassVar[str]
    TITLE: ClassVar[str] = ""
    """What people are told that its port is for; empty means its name."""
    HEALTH: ClassVar[str] = ""
    """The path that it answers once it is ready."""
    READY_SECONDS: ClassVar[float]
    STOP_SECONDS: ClassVar[float]

    def __init__(self, layout: Layout, state: State, wanted_port: int) -> None:
        """Know the one of ``layout``'s stack, which listens on ``wanted_port``; on any where that is 0."""
        super().__init__(ManagedProcess(state, self.NAME, layout.logs / f"{self.NAME}.log"), self.STOP_SECONDS)
        self._wanted_port = wanted_port

    @property
    def url(self) -> str:
        """Where it is reached; empty before the first start."""
        return str(self._process.record.get("url", ""))

    @property
    def address(self) -> str:
        """Where it is reached, for people."""
        return self.url

    def check_ports(self, progress: Progress = quiet) -> None:
        """Check that it can listen where it is told to, unless it runs already.

        Raises:
            DevstackError: the port is in use, and stays so.
        """
        if self.pid is None:
            self._choose_port(progress)

    def launch(self, asks: Mapping[str, str], progress: Progress = quiet) -> None:
        """Start it where it does not run as it should, without waiting until it is ready; ``asks`` say whom it asks."""
        if self.pid is not None and self._is_current(asks):
            return
        progress("starting")
        self.stop()
        self._launch(asks)

    @abstractmethod
    def _is_current(self, asks: Mapping[str, str]) -> bool:
        """Say whether what runs has the settings and the code of now."""

    @abstractmethod
    def _launch(self, asks: Mapping[str, str]) -> None:
        """Start the process."""

    def start(self, progress: Progress = quiet) -> None:
        """Start it again, as it was, where it does not run; return when it answers."""
        progress("starting")
        self.check_ports(progress)  # here it is told what is waited for
        self.launch(dict(self._process.record.get("asks", {})))
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it answers.

        Raises:
            DevstackError: it ended, or took too long.
        """
        self._process.wait_until(self.ready, self.READY_SECONDS)

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            with urllib.request.urlopen(f"{self.url}{self.HEALTH}", timeout=2, context=self._trust()) as answer:  # noqa: S310 - ours
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's OK
        except OSError:
            return False

    def _trust(self) -> ssl.SSLContext | None:
        """Return what believes its certificate; None where it has none."""
        return None

    @property
    def _last_port(self) -> int:
        return int(self.url.rpartition(":")[2]) if self.url else 0

    def _choose_port(self, progress: Progress) -> int:
        variable = f"{self.NAME.upper()}_PORT"
        return choose_port(self._wanted_port, self._last_port, self.TITLE or self.NAME, variable, progress)
