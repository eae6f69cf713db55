"""How fast sagas end, and how long they took: counted from the stream of their changes while somebody looks."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import quantiles

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.words import time_of

SLOT_SECONDS = 2
SLOTS = 150
"""Five minutes in all."""
_SEEN = 20_000
_RECENT_SECONDS = 60
_MOST_DURATIONS = 2_000
_ENDED = {pb.SAGA_STATUS_COMPLETED, pb.SAGA_STATUS_COMPENSATED}


@dataclass(frozen=True)
class PaceNow:
    """The pace of the last minute, and its course."""

    since: float
    """For how long it was counted, in seconds."""
    completed: float
    """Sagas completed a second, in the last minute or since counting began."""
    compensated: float
    """Sagas undone a second, likewise."""
    median: float | None
    """How long half of those that ended took at most, in seconds; None where none ended."""
    slowest: float | None
    """How long 95 of 100 took at most."""
    times: Sequence[int]
    """The beginnings of the course's slots, in Unix time."""
    done: Sequence[float]
    """Sagas completed a second in each slot."""
    undone: Sequence[float]
    """Sagas undone a second in each slot."""


class Pace:
    """Counts the ends of sagas."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Begin to count; ``now`` is Unix time."""
        self._now, self._began = now, now()
        self._slots: deque[list[int]] = deque(maxlen=SLOTS)  # beginning, completed, compensated
        self._ended: OrderedDict[int, None] = OrderedDict()
        self._durations: deque[tuple[float, float]] = deque(maxlen=_MOST_DURATIONS)

    def note(self, saga: pb.Saga) -> None:
        """Count a saga that has changed, where it has ended and was not counted before."""
        if saga.status not in _ENDED or saga.order_id in self._ended:
            return
        self._ended[saga.order_id] = None
        if len(self._ended) > _SEEN:
            self._ended.popitem(last=False)
        now = self._now()
        self._slot(now)[1 if saga.status == pb.SAGA_STATUS_COMPLETED else 2] += 1
        took = (time_of(saga.update_time) - time_of(saga.create_time)).total_seconds()
        self._durations.append((now, max(0.0, took)))

    def _slot(self, now: float) -> list[int]:
        begins = int(now) // SLOT_SECONDS * SLOT_SECONDS
        if not self._slots or self._slots[-1][0] < begins:
            self._slots.append([begins, 0, 0])
        return self._slots[-1]

    def now(self) -> PaceNow:
        """Return the pace of now."""
        now = self._now()
        counted = {slot[0]: slot for slot in self._slots}
        last = int(now) // SLOT_SECONDS * SLOT_SECONDS
        times = range(last - SLOTS * SLOT_SECONDS, last, SLOT_SECONDS)  # the slot under way is not whole yet
        slots = [counted.get(begins, [begins, 0, 0]) for begins in times]
        window = min(_RECENT_SECONDS, max(1.0, now - self._began))
        recent = [slot for slot in self._slots if slot[0] > now - _RECENT_SECONDS]
        took = sorted(seconds for at, seconds in self._durations if at > now - _RECENT_SECONDS)
        return PaceNow(
            since=now - self._began,
            completed=sum(slot[1] for slot in recent) / window,
            compensated=sum(slot[2] for slot in recent) / window,
            median=took[len(took) // 2] if took else None,
            slowest=quantiles(took, n=20, method="inclusive")[-1] if len(took) > 1 else (took[0] if took else None),
            times=tuple(times),
            done=tuple(slot[1] / SLOT_SECONDS for slot in slots),
            undone=tuple(slot[2] / SLOT_SECONDS for slot in slots),
        )
