"""Lets one command at a time start or stop parts of a stack; who has to wait is told for whom."""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import psutil

_LONGEST = 80
"""How much of another's command line is shown."""


@contextmanager
def turn(lock: TextIO) -> Iterator[None]:
    """Hold ``lock``, a file open to be read and written, while the body runs.

    Where another command holds it, that is said on stderr, once, and waited for.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"order-saga: {_holder(lock)} runs on this stack; waiting until it ends", file=sys.stderr, flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    _note(lock, str(os.getpid()))
    try:
        yield
    finally:
        _note(lock, "")


def _note(lock: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):  # on a full disk, say, the others are told less
        os.ftruncate(lock.fileno(), 0)
        os.pwrite(lock.fileno(), text.encode(), 0)


def _holder(lock: TextIO) -> str:
    """Say who holds ``lock``, as far as that is known."""
    try:
        lock.seek(0)
        pid = int(lock.read())
        words = psutil.Process(pid).cmdline()
    except (OSError, ValueError, psutil.Error):
        return "another command"
    words = " ".join(_without_python(words)).split()  # in one line, whatever Python was told to run
    return f"another command (pid {pid}: {' '.join(words)[:_LONGEST]})"


def _without_python(words: list[str]) -> list[str]:
    return words[2:] if words[1:2] == ["-m"] else words
