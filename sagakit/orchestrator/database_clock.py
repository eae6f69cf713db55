"""The database's clock, without asking it: the time that it gave last, and how long ago that was."""

import time
from datetime import datetime, timedelta

_SECONDS = 10.0
"""Clocks drift, and are set; so a time that is older than this is not used."""
_CLOSE_SECONDS = 1.0
"""An answer that took longer is too vague: the clock may have been read at any moment of it."""


class DatabaseClock:
    """Knows the time of another machine's clock."""

    def __init__(self) -> None:
        """Begin without knowing."""
        self._answer: tuple[datetime, float] | None = None

    def set(self, now: datetime, asked: float) -> None:
        """Note the answer ``now`` to a question of ``asked``, which is a time of `time.monotonic`."""
        if time.monotonic() - asked <= _CLOSE_SECONDS:
            self._answer = now, asked

    def now(self) -> datetime | None:
        """Return the time there, to about a second; None where the last answer is more than ten seconds old."""
        if self._answer is None:
            return None
        now, asked = self._answer
        since = time.monotonic() - asked
        return now + timedelta(seconds=since) if since < _SECONDS else None
