"""How fast sagas end, and how long they took: by what the orchestrator has counted, read while somebody looks.

Its metrics say so for nothing. Being told of each saga that changes, as `WatchSagas` does, would cost it half as much
again as the sagas themselves at a thousand a second.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

SLOT_SECONDS = 2
SLOTS = 150
"""Five minutes in all."""
COMPLETED, COMPENSATED = "COMPLETED", "COMPENSATED"
_RECENT_SECONDS = 60
_GAP_SECONDS = 20.0
"""After such a time without a look, what ended meanwhile is nobody's pace of now."""
_MOST_PROCESSES = 50

Buckets = Mapping[float, float]
"""How many took so long at most, by seconds; ``inf`` has all."""


@dataclass(frozen=True)
class Ended:
    """What one process has counted since it was started."""

    process: float
    """When it was started, in Unix time: by that replicas behind one address are told apart."""
    by_status: Mapping[str, Buckets] = field(default_factory=dict)


@dataclass(frozen=True)
class PaceNow:
    """The pace of the last minute, and its course."""

    completed: float
    """Sagas completed a second, in the last minute or since counting began."""
    compensated: float
    """Sagas undone a second, likewise."""
    median: float | None
    """How long half of those that ended took at most, in seconds; None where none ended, or it is longer than any
    bucket."""
    slowest: float | None
    """How long 95 of 100 took at most, likewise."""
    times: Sequence[int]
    """The beginnings of the course's slots, in Unix time."""
    done: Sequence[float | None]
    """Sagas completed a second in each slot; None where nobody looked."""
    undone: Sequence[float | None]
    """Sagas undone a second in each slot, likewise."""
    known: bool
    """Whether the orchestrator has said of late what it has counted."""


@dataclass(frozen=True)
class _Look:
    since: float
    at: float
    ended: Mapping[str, Buckets]
    """What ended between this look and the one before."""

    def count(self, status: str) -> float:
        return self.ended.get(status, {}).get(inf, 0)

    @property
    def slots(self) -> range:
        """The slots of which it tells: that of its own time, and those since the look before."""
        last = _slot(self.at)
        return range(min(_slot(self.since) + SLOT_SECONDS, last), last + SLOT_SECONDS, SLOT_SECONDS)


class Pace:
    """The pace, by the differences between looks."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Begin with no look; ``now`` is Unix time."""
        self._now = now
        self._began: float | None = None
        self._last = -inf
        self._before: dict[float, Ended] = {}
        self._looks: deque[_Look] = deque(maxlen=SLOTS)

    def note(self, ended: Ended) -> None:
        """Note what a process has counted; of one that is seen for the first time, what it counts from now on."""
        now = self._now()
        if now - self._last > _GAP_SECONDS:
            self._before.clear()
            self._began = now
        before, since, self._last = self._before.pop(ended.process, None), self._last, now
        self._before[ended.process] = ended
        if len(self._before) > _MOST_PROCESSES:
            del self._before[next(iter(self._before))]
        if before:
            self._looks.append(_Look(since, now, _since(before.by_status, ended.by_status)))

    def now(self) -> PaceNow:
        """Return the pace of now."""
        now = self._now()
        window = min(_RECENT_SECONDS, max(float(SLOT_SECONDS), now - (self._began or now)))
        recent = [look for look in self._looks if look.at > now - window]
        last = _slot(now)
        times = range(last - SLOTS * SLOT_SECONDS, last, SLOT_SECONDS)  # the slot under way is not whole yet
        took = _sum([buckets for look in recent for buckets in look.ended.values()])
        return PaceNow(
            completed=sum(look.count(COMPLETED) for look in recent) / window,
            compensated=sum(look.count(COMPENSATED) for look in recent) / window,
            median=_quantile(took, 0.5),
            slowest=_quantile(took, 0.95),
            times=tuple(times),
            done=self._course(times, COMPLETED),
            undone=self._course(times, COMPENSATED),
            known=now - self._last <= _GAP_SECONDS,
        )

    def _course(self, times: Sequence[int], status: str) -> tuple[float | None, ...]:
        counted: dict[int, float] = {}
        for look in self._looks:
            for slot in look.slots:
                counted.setdefault(slot, 0.0)
            counted[_slot(look.at)] += look.count(status)
        return tuple(counted[slot] / SLOT_SECONDS if slot in counted else None for slot in times)


def _slot(moment: float) -> int:
    """Return when the slot of a moment begins."""
    return int(moment) // SLOT_SECONDS * SLOT_SECONDS


def _since(before: Mapping[str, Buckets], after: Mapping[str, Buckets]) -> dict[str, dict[float, float]]:
    return {
        status: {limit: count - before.get(status, {}).get(limit, 0) for limit, count in buckets.items()}
        for status, buckets in after.items()
    }


def _sum(several: Sequence[Buckets]) -> dict[float, float]:
    total: dict[float, float] = {}
    for buckets in several:
        for limit, count in buckets.items():
            total[limit] = total.get(limit, 0) + count
    return total


def _quantile(took: Buckets, part: float) -> float | None:
    wanted = took.get(inf, 0) * part
    limit = next((limit for limit in sorted(took) if took[limit] >= wanted > 0), inf)
    return None if limit == inf else limit
