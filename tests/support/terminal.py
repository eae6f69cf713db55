"""A program at a terminal of its own, typed at as a person does."""

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

_QUIET_SECONDS = 0.7
"""How long nothing is said by who waits for the next key."""
_OWN = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""What makes the terminal that of its session, without which fish does not begin."""
_ESCAPES = re.compile(r"\x1b(\[[0-9;?>=]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")


class Terminal:
    """The keys and the screen of one program."""

    def __init__(self, end: int) -> None:
        self._end, self._said = end, ""

    def type(self, keys: str) -> None:
        """Type ``keys``, and wait until the program waits for the next one."""
        os.write(self._end, keys.encode())
        while self._reads(_QUIET_SECONDS):
            pass

    def until(self, pattern: str, seconds: float) -> str:
        """Wait until ``pattern`` was said, and return all that was said, without what only moves and colours."""
        give_up = time.monotonic() + seconds
        while not re.search(pattern, self.said):
            assert time.monotonic() < give_up, f"no {pattern!r} in {self.said!r}"
            self._reads(_QUIET_SECONDS)
        return self.said

    @property
    def said(self) -> str:
        """All that was said until now."""
        return _ESCAPES.sub("", self._said)

    def _reads(self, seconds: float) -> bool:
        if not select.select([self._end], [], [], seconds)[0]:
            return False
        with suppress(OSError):  # it has ended
            if found := os.read(self._end, 65536):
                self._said += found.decode(errors="replace")
                return True
        return False


@contextmanager
def at_a_terminal(command: Sequence[str], environment: Mapping[str, str]) -> Iterator[Terminal]:
    """Run ``command`` at a terminal, and end it afterwards."""
    ours, its = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-c", _OWN, *command],
            stdin=its,
            stdout=its,
            stderr=its,
            env=dict(environment),
            start_new_session=True,
        ) as process:
            os.close(its)
            try:
                yield Terminal(ours)
            finally:
                process.kill()
    finally:
        os.close(ours)
