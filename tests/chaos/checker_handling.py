"""Invariant (12): healing is the answer to a fault. Where there is none, nothing needs to be sent, or done, again.

Only what begins a healing is judged: what follows from it, such as the answers to a command that was sent again, is
answered once for each cause, which is judged as well.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tests.chaos.checker_common import Case, Violation
from tests.chaos.evidence import WRITERS, FaultWindow, Record

_FAST_SECONDS = 1.5
"""A row that stays in the outbox for longer was left to the relay."""
_ANSWERING = ("read-only", "refusing", "altered", "clock-forward", "clock-back")
"""Faults of a database that answers. As answers are published after the commit, they bring about none twice."""
_AGAIN_SECONDS = 60.0
"""Within which a service has read again, and done again, what its database forgot."""


class Kind(StrEnum):
    """A way in which the system heals itself."""

    SENT = "command sent again by time"
    ANNOUNCED = "order announced again"
    RELAYED = "message left to the relay"
    ANSWERED = "message handled again"


@dataclass(frozen=True)
class Healing:
    """Something that was done again."""

    kind: Kind
    what: str
    time: float
    faults: tuple[str, ...]
    """The kinds of fault that explain it, the one that began last at the end; none where nothing does."""


def handling_is_explained(case: Case) -> Iterator[Violation]:
    """(12) Nothing is sent, announced, relayed or handled again that no fault explains."""
    for healing in healings(case):
        if not healing.faults:
            text = f"{healing.kind}, {healing.what}, at {healing.time:.1f} s, and no fault explains it"
            yield Violation(12, text)


def healings(case: Case) -> list[Healing]:
    """Return all that was done again in a run, and why."""
    windows = [*case.evidence.faults, *_going_back(case)]
    return [*_sent(case, windows), *_announced(case, windows), *_relayed(case, windows), *_answered(case, windows)]


def _going_back(case: Case) -> Iterator[FaultWindow]:
    for back in case.evidence.went_back:
        parts = frozenset({back.service})
        yield FaultWindow(f"{back.service} went back", parts, back.since, back.time, _AGAIN_SECONDS)


def _healing(kind: Kind, what: str, time: float, windows: list[FaultWindow], service: str = "") -> Healing:
    """Return the healing with the faults at that time that explain it: on what ``service`` uses, where it is given."""
    found = [window for window in windows if window.covers(time) and (not service or _concerns(window, service))]
    if kind is Kind.ANSWERED:
        found = [window for window in found if window.kind not in _ANSWERING]
    return Healing(kind, what, time, tuple(window.kind for window in sorted(found, key=lambda one: one.began)))


def _concerns(window: FaultWindow, service: str) -> bool:
    return not window.parts.isdisjoint({service, f"{service}-2", "kafka", "postgres", f"postgres-{service}"})


def _sent(case: Case, windows: list[FaultWindow]) -> Iterator[Healing]:
    """Yield the commands that no message brought about, but for those that an operator did."""
    by_time: dict[int, list[Record]] = defaultdict(list)
    for record in _once(case):
        if record.type.endswith("Command") and not record.causation_id:
            by_time[record.order_id].append(record)
    for order_id, records in by_time.items():
        asked = sum(
            event.type == "RETRIED" or (event.type == "CANCEL_ACCEPTED" and not event.message_id)
            for event in case.history[order_id]
        )
        found = [_healing(Kind.SENT, f"{r.type} of order {order_id}", r.seen, windows) for r in records]
        unexplained = [healing for healing in found if not healing.faults]
        yield from (healing for healing in found if healing.faults)
        yield from unexplained[asked:]


def _announced(case: Case, windows: list[FaultWindow]) -> Iterator[Healing]:
    times = Counter[tuple[str, int]]()
    for record in _once(case):
        if record.type in {"OrderCreated", "OrderCancelRequested"} and record.order_id not in case.removed:
            times[record.type, record.order_id] += 1
            if times[record.type, record.order_id] > 1:
                what = f"{record.type} of order {record.order_id}"
                yield _healing(Kind.ANNOUNCED, what, record.seen, windows)


def _relayed(case: Case, windows: list[FaultWindow]) -> Iterator[Healing]:
    for row in case.evidence.outbox:
        if row.seen - row.first_seen > _FAST_SECONDS:
            yield _healing(Kind.RELAYED, f"{row.message_id} for {row.topic}", row.seen, windows, "order_svc")


def _answered(case: Case, windows: list[FaultWindow]) -> Iterator[Healing]:
    answers = Counter[tuple[str, str, int]]()
    for record in _once(case):
        if record.causation_id:
            answer = (record.causation_id, record.type, record.order_id)
            answers[answer] += 1
            if answers[answer] > 1:
                writer = WRITERS[record.place.topic]
                what = f"{record.type} of order {record.order_id} by {writer}"
                yield _healing(Kind.ANSWERED, what, record.seen, windows, writer)


def _once(case: Case) -> Iterator[Record]:
    """Yield the services' own records by time, each message once: what has the same id was written by a stranger."""
    seen: set[str] = set()
    for record in sorted(case.evidence.records, key=lambda record: record.seen):
        if record.message_id not in seen and not case.forged(record):
            seen.add(record.message_id)
            yield record
