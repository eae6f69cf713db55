"""What PostgreSQL, Kafka, the registry and a service have in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from devstack.processes import ManagedProcess

Progress = Callable[[str], None]
"""Is told what is going on, in a few words."""
Tell = Callable[[str, str], None]
"""Is told what a part is doing: the part's name, and a few words."""


class Server(ABC):
    """One part of the stack, and the process that it runs as."""

    external: bool = False
    """Whether it is somebody else's: used, never started or stopped."""

    def __init__(self, process: ManagedProcess, stop_seconds: float) -> None:
        """Run as ``process``, which has ``stop_seconds`` to end in good order."""
        self.name = process.name
        self._process, self._stop_seconds = process, stop_seconds

    @property
    def pid(self) -> int | None:
        """Its pid while it runs; None for a server that is somebody else's."""
        return self._process.pid

    @property
    def log(self) -> Path:
        """What it writes to."""
        return self._process.log

    @property
    @abstractmethod
    def address(self) -> str:
        """Where it is reached, for people."""

    @abstractmethod
    def ready(self) -> bool:
        """Say whether it answers."""

    @abstractmethod
    def start(self, progress: Progress = ...) -> None:
        """Start it where it does not run, and return when it is ready.

        Raises:
            DevstackError: it does not come up.
        """

    def stop(self) -> None:
        """Stop it in good order; harmless where it does not run."""
        self._process.stop(self._stop_seconds)

    def kill(self) -> None:
        """Kill it at once, as a crash would."""
        self._process.kill()


def quiet(_: str) -> None:
    """Tell nobody."""


def tell_nobody(_: str, __: str) -> None:
    """Tell nobody of any part."""
