"""The database's clock, told from here: what it said a moment ago, and how long ago that was."""

import time
from datetime import datetime, timedelta

_SECONDS = 10.0
"""Clocks are set, and drift: what was said longer ago than this is asked anew."""


class RemoteClock:
    """Tells what time it is by another machine's clock."""

    def __init__(self) -> None:
        """Begin without knowing."""
        self._told: tuple[datetime, float] | None = None

    def told(self, now: datetime, at: float) -> None:
        """Note that it was ``now`` there ``at`` that time of `time.monotonic`."""
        self._told = now, at

    def now(self) -> datetime | None:
        """Return what time it is there; None where nothing was heard of it for ten seconds."""
        if self._told is None:
            return None
        now, at = self._told
        since = time.monotonic() - at
        return now + timedelta(seconds=since) if since < _SECONDS else None
