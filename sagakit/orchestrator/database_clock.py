"""The database's clock, told from here: what it said a moment ago, and how long ago that was."""

import time
from datetime import datetime, timedelta

_SECONDS = 10.0
"""Clocks are set, and drift: what was said longer ago than this is asked anew."""
_CLOSE_SECONDS = 1.0
"""An answer that took longer says too little: the clock may have been read at its beginning, or at its end."""


class DatabaseClock:
    """Tells what time it is by another machine's clock."""

    def __init__(self) -> None:
        """Begin without knowing."""
        self._told: tuple[datetime, float] | None = None

    def told(self, now: datetime, asked: float) -> None:
        """Note that who asked there at ``asked``, by `time.monotonic`, has just heard that it was ``now``."""
        if time.monotonic() - asked <= _CLOSE_SECONDS:
            self._told = now, asked

    def now(self) -> datetime | None:
        """Return what time it is there, to about a second; None where nothing was heard of it for ten."""
        if self._told is None:
            return None
        now, asked = self._told
        since = time.monotonic() - asked
        return now + timedelta(seconds=since) if since < _SECONDS else None
