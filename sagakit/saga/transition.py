"""Transitions of a saga: the moves that messages, deadlines and operators share. Pure, like `sagakit.saga.advance`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sagakit.records import Record
from sagakit.saga.declaration import Saga, Step
from sagakit.saga.instance import Event, EventType, Instance, Status

CANCEL_REQUESTED = "CANCEL_REQUESTED"
"""Reason of a compensation that somebody asked for."""


class Fit(StrEnum):
    """How a message or a time-out fitted its saga. The metrics count by these names."""

    ADVANCED = "advanced"
    NOTED = "noted"
    """Added to the history; nothing else changed."""
    REPEATED_START = "repeated_start"
    REPEATED_CANCEL = "repeated_cancel"
    UNEXPECTED_REPLY = "unexpected_reply"
    """A reply to a command that is not, or no longer, pending."""
    LATE_REPLY = "late_reply"
    """A step's reply that came after a time-out or a cancel, while the saga compensated or after that."""
    REFUSED_AFTER_PIVOT = "refused_after_pivot"
    RESENT = "resent"
    """No reply came, or an operator asked: the pending (or final) command is sent again."""
    GAVE_UP = "gave_up"
    """The last attempt of a step up to the pivot got no reply: the saga compensates."""
    STUCK = "stuck"
    """The attempts are used up, but this command is never given up: it is sent again all the same."""
    NOT_UNDERSTOOD = "not_understood"
    """This version cannot read the saga: it is marked as stuck, and stays as it is."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A saga's new state, its event for the history, and what is to be sent."""

    saga: Instance
    event: Event | None
    fit: Fit
    also: Record | None = None
    """A command that is sent in addition to the pending (or final) one."""

    @property
    def send(self) -> bool:
        """Whether the saga's pending (or final) command is sent, for the first time or again.

        A step that is refused after the pivot waits for its time-out: sent again at once, it would be refused again.
        """
        return self.fit is not Fit.REFUSED_AFTER_PIVOT


Changes: TypeAlias = dict[str, Any]
"""Attributes of an instance and their new values, collected so that a transition copies the instance only once."""


@dataclass(frozen=True)
class Moves:
    """The moves of one saga at one moment, caused by a message or, without a message id, by time or an operator."""

    saga: Saga
    now: datetime
    message_id: str = ""

    def forward(self, position: int) -> Changes:
        """Go on to the step at ``position``, or complete where there is none."""
        if position == len(self.saga.steps):
            return _end(Status.COMPLETED)
        return self.wait(Status.RUNNING, self.saga.steps[position])

    def compensate(self, position: int, reason: str) -> Changes:
        """Undo the step at ``position`` and those before it, or end where there is none."""
        undoing = (
            self.wait(Status.COMPENSATING, self.saga.steps[position]) if position >= 0 else _end(Status.COMPENSATED)
        )
        return undoing | {"reason": reason, "last_error": reason}

    def undo_all(self, reason: str) -> Changes:
        """Undo every step up to the pivot, also those that seem not to have begun.

        A saga may have come further than its database remembers. Undoing a step that was never done does no harm: the
        participant notes it, and refuses to do the step later.
        """
        return self.compensate(self.saga.pivot, reason)

    def may_be_undone(self, instance: Instance) -> bool:
        """Say whether ``instance`` goes forward and is not past the pivot; from there on nothing is undone."""
        if instance.status is not Status.RUNNING or instance.step is None:
            return False
        return self.saga.position(instance.step) <= self.saga.pivot

    def cancel(self, instance: Instance, note: str, **changes: object) -> Transition | None:
        """Undo every step of ``instance`` up to the pivot, as somebody asks for; None where that is too late.

        ``note`` says who asks and why, for the history. ``changes`` are made besides.
        """
        if not self.may_be_undone(instance):
            return None
        undoing = self.undo_all(CANCEL_REQUESTED) | changes
        return self.with_event(instance, undoing, EventType.CANCEL_ACCEPTED, step=instance.step, reason=note)

    def wait(self, status: Status, step: Step) -> Changes:
        """Wait for the reply to ``step``'s command or, while compensating, to its undo."""
        return {
            "status": status,
            "step": step.name,
            "attempt": 1,
            "waiting_since": self.now,
            "deadline": self.now + step.timeout,
            "stuck": False,
        }

    def without_event(self, instance: Instance, changes: Changes, fit: Fit) -> Transition:
        """Return the transition of ``instance`` by ``changes``, with nothing for the history."""
        changed = instance.changed({**changes, "version": instance.version + 1, "update_time": self.now})
        return Transition(changed, None, fit)

    def with_event(  # noqa: PLR0913 - an event has so many parts
        self,
        instance: Instance,
        changes: Changes,
        event: EventType,
        *,
        step: str | None = None,
        reason: str | None = None,
        fit: Fit = Fit.ADVANCED,
    ) -> Transition:
        """Return the transition of ``instance`` by ``changes``, with its event for the history."""
        changed = self.without_event(instance, changes, fit).saga
        recorded = Event(changed.saga_id, changed.version, self.now, event, step, reason, self.message_id)
        return Transition(changed, recorded, fit)


def _end(status: Status) -> Changes:
    return {"status": status, "step": None, "attempt": 1, "waiting_since": None, "deadline": None, "stuck": False}
