"""What PostgreSQL, Kafka, the registry and a service have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

Progress = Callable[[str], None]
"""Is told what is going on, in a few words."""


class Server(Protocol):
    """One part of the stack."""

    name: str

    @property
    def pid(self) -> int | None:
        """Its pid while it runs; None for a server that is somebody else's."""

    @property
    def external(self) -> bool:
        """Whether it is somebody else's: used, never started or stopped."""

    @property
    def address(self) -> str:
        """Where it is reached, for people."""

    @property
    def log(self) -> Path:
        """What it writes to."""

    def ready(self) -> bool:
        """Say whether it answers."""

    def start(self, progress: Progress = ...) -> None:
        """Start it where it does not run, and return when it is ready.

        Raises:
            DevstackError: it does not come up.
        """

    def stop(self) -> None:
        """Stop it; harmless where it does not run."""

    def kill(self) -> None:
        """Kill it at once, as a crash would."""


def quiet(_: str) -> None:
    """Tell nobody."""
