"""A clock that stands still until it is moved."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    """The time of a test. It passes where the test says so, and nowhere else."""

    def __init__(self, now: datetime = _BEGIN) -> None:
        """Begin at ``now``."""
        self.now = now
        self._timers: list[Callable[[], None]] = []

    def advance(self, by: timedelta) -> None:
        """Let time pass; whatever is due by then happens before this returns."""
        self.now += by
        for fire in self._timers:
            fire()

    def each_time(self, fire: Callable[[], None]) -> None:
        """Call ``fire`` each time that time has passed."""
        self._timers.append(fire)
