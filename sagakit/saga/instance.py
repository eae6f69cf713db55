"""One saga's stored state, and what follows from it alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

from sagakit.records import Record
from sagakit.saga.declaration import Saga


class Status(StrEnum):
    """RUNNING ends in COMPLETED, or becomes COMPENSATING and ends in COMPENSATED."""

    RUNNING = "RUNNING"
    COMPENSATING = "COMPENSATING"
    COMPLETED = "COMPLETED"
    COMPENSATED = "COMPENSATED"
    UNKNOWN = "UNKNOWN"
    """A value of a later version, which this one cannot name; never stored."""


class EventType(StrEnum):
    """What can happen to a saga."""

    STARTED = "STARTED"
    STEP_DONE = "STEP_DONE"
    STEP_REFUSED = "STEP_REFUSED"
    STEP_UNDONE = "STEP_UNDONE"
    CANCEL_ACCEPTED = "CANCEL_ACCEPTED"
    CANCEL_TOO_LATE = "CANCEL_TOO_LATE"
    STEP_TIMED_OUT = "STEP_TIMED_OUT"
    STUCK = "STUCK"
    RETRIED = "RETRIED"
    UNKNOWN = "UNKNOWN"
    """A value of a later version, which this one cannot name; never stored."""


@dataclass(frozen=True)
class Instance:
    """The state of one saga. Progress is stored by the step's name, never by its position."""

    saga_id: int
    """The key of its messages."""
    start: Record | None
    """The message that began it; every command is made from it. None where this version cannot read it."""
    status: Status
    step: str | None
    """The step whose reply is awaited; None once the saga has ended."""
    reason: str | None
    """Why it compensates or compensated."""
    attempt: int
    """The number of the pending command's sending, from 1; 0 where an operator has it sent again."""
    waiting_since: datetime | None
    """Since when the pending step's reply is awaited, counted from the first attempt."""
    deadline: datetime | None
    """When the timer acts, because the reply is overdue or an operator asked."""
    stuck: bool
    last_error: str | None
    version: int
    """Counts the changes, from 1."""
    create_time: datetime
    update_time: datetime
    traceparent: str | None = None
    """Where it began in a trace, as a header of W3C's; None where nobody records that."""
    fault: str | None = None
    """Why this version cannot read the whole row; None where it can. `sagakit.orchestrator.faults` checks the rest."""

    def moment(self, now: datetime) -> datetime:
        """Return ``now``, or the time of the last change where that is later, so that a history never runs backwards.

        A clock falls behind when it is set, when another server takes over, or when it shows the start of a transaction
        that has waited since.
        """
        return max(now, self.update_time)

    def changed(self, changes: Mapping[str, object]) -> Self:
        """Return the saga with ``changes`` to its fields, by name.

        `dataclasses.replace` takes eight times as long, and each message changes a saga.
        """
        changed = object.__new__(type(self))
        changed.__dict__.update(self.__dict__, **changes)
        return changed

    @property
    def compensates(self) -> bool:
        """Whether the saga is being undone, or is undone."""
        return self.status in {Status.COMPENSATING, Status.COMPENSATED}

    @property
    def retrying(self) -> bool:
        """Whether the pending command was sent again because no reply came, and nobody has to look yet."""
        return self.attempt > 1 and not self.stuck and not self.ended

    @property
    def ended(self) -> bool:
        """Whether the saga has ended."""
        return self.step is None


class Event(NamedTuple):
    """One line of a saga's history."""

    saga_id: int
    version: int
    """The saga's version after the event."""
    create_time: datetime
    type: EventType
    step: str | None
    reason: str | None
    message_id: str
    """The message that caused it; empty where a deadline or an operator did."""


def pending_command(saga: Saga, instance: Instance) -> Record:
    """Return the command whose reply is awaited or, once the saga has ended, its final command.

    It depends on the stored state alone. So sending it again is always safe, and makes up for any lost message.
    """
    if instance.status is Status.COMPLETED:
        return saga.on_completed(instance.start)
    if instance.step is None:
        return saga.on_compensated(instance.start, instance.reason or "")
    step = saga.steps[saga.position(instance.step)]
    return step.undo(instance.start) if instance.status is Status.COMPENSATING else step.do(instance.start)


def remaining_steps(saga: Saga, instance: Instance) -> list[str]:
    """Return the names of the steps still to be done or undone, the pending one first."""
    if instance.step is None:
        return []
    names = [step.name for step in saga.steps]
    at = saga.position(instance.step)
    return names[at::-1] if instance.status is Status.COMPENSATING else names[at:]
