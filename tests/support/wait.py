"""Waiting for what comes by itself."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T], timeout: float = 15.0, *, every: float = 0.05) -> T:
    """Call ``check`` until it returns without an AssertionError; return its result, or let its last error through."""
    give_up = time.monotonic() + timeout
    while True:
        try:
            return check()
        except AssertionError:
            if time.monotonic() > give_up:
                raise
        time.sleep(every)
