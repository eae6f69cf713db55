"""The fuse between a test and a fault build: a file that names the one point at which something is to happen, once."""

import os
import threading
from pathlib import Path

EXIT_CODE = 86
"""What a process ends with at a crash point."""
ORIGIN = "origin"
_LOOPS_THREADS = ("database", "uvloop")
"""Those that the event loop has waiting for it."""


class Fuse:
    """Armed by a test, blown by the process that reaches the point: by exactly one, and once."""

    def __init__(self, flag: Path) -> None:
        """Use the file ``flag``; beside it a file ending in ``.fired`` records what has happened."""
        self._flag, self._fired = flag, flag.with_suffix(".fired")

    def arm(self, point: str) -> None:
        """Make ``point`` the one at which it happens."""
        self._fired.unlink(missing_ok=True)
        prepared = self._flag.with_suffix(".prepared")
        prepared.write_text(point)
        prepared.rename(self._flag)

    def disarm(self) -> None:
        """Let nothing happen any more."""
        self._flag.unlink(missing_ok=True)

    @property
    def armed(self) -> str:
        """The point that is armed; empty where none is."""
        return _text(self._flag)

    @property
    def fired(self) -> str:
        """The point at which it has happened; empty while it has not."""
        return _text(self._fired)

    def blows(self, point: str) -> bool:
        """Say whether it happens here and now. Of the threads and replicas that come by, only one gets True."""
        if self.armed != point:
            return False
        try:
            self._flag.rename(self._fired)
        except FileNotFoundError:
            return False
        return True

    def dies(self, point: str) -> None:
        """End the process at once, as a crash would, if ``point`` is armed: nothing is flushed, closed or reported."""
        if self.blows(point):
            os._exit(EXIT_CODE)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError:
        return ""


def where() -> str:
    """Say who is at work in this thread: the consumer, the outbox's relay, the saga's timers. It begins a point's name.

    In the event loop, and in the threads where it waits for the database, it is an origin write: ``CreateOrder`` and
    ``CancelOrder`` with their fast path.
    """
    thread = threading.current_thread()
    of_event_loop = thread is threading.main_thread() or thread.name.startswith(_LOOPS_THREADS)
    return ORIGIN if of_event_loop else thread.name
