"""What becomes of a saga: the moves that messages, time and operators share. Pure, like `sagakit.saga.advance`."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeAlias

from sagakit.records import Record
from sagakit.saga.declaration import Saga, Step
from sagakit.saga.instance import Event, EventType, Instance, Status


class Fit(StrEnum):
    """How what came fitted the saga it came to. Messages and time-outs are counted by these names."""

    ADVANCED = "advanced"
    NOTED = "noted"
    """Kept in the history; nothing else changed."""
    REPEATED_START = "repeated_start"
    REPEATED_CANCEL = "repeated_cancel"
    UNEXPECTED_REPLY = "unexpected_reply"
    """A reply to a command that is not, or no longer, pending."""
    LATE_REPLY = "late_reply"
    """A step's reply that came when the step was being undone, or had been: after a time-out or a cancel."""
    REFUSED_AFTER_PIVOT = "refused_after_pivot"
    RESENT = "resent"
    """The reply stayed out, or an operator asked: the pending (or final) command goes out again."""
    GAVE_UP = "gave_up"
    """The last attempt before the pivot stayed without reply: the saga compensates."""
    STUCK = "stuck"
    """The attempts of a command that is never given up are used up; it goes out again all the same."""
    NOT_UNDERSTOOD = "not_understood"
    """This version can make nothing of the saga: it is flagged, and stays as it is."""


@dataclass(frozen=True, slots=True)
class Transition:
    """What became of a saga."""

    saga: Instance
    event: Event | None
    fit: Fit
    also: Record | None = None
    """A command that is to be sent beside the pending (or final) one."""

    @property
    def send(self) -> bool:
        """Whether the saga's pending (or final) command is to be sent, for the first time or again.

        Only a step that is refused after the pivot waits for its time-out: asked at once it would be refused at once.
        """
        return self.fit is not Fit.REFUSED_AFTER_PIVOT


Changes: TypeAlias = dict[str, Any]
"""Attributes of an instance and their new values: gathered first, so that each change copies it only once."""


@dataclass(frozen=True)
class Moves:
    """The moves of one saga at one moment, brought about by a message; without its id, by time or an operator."""

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
        """Undo every step up to the pivot, those too of which nothing is known here.

        A saga may have come further than its database remembers, and what it takes for the start may be its middle. To
        undo what never was does no harm: the participant notes it, and refuses to do it later.
        """
        return self.compensate(self.saga.pivot, reason)

    def wait(self, status: Status, step: Step) -> Changes:
        """Wait for the first reply to ``step``'s command, or to its undo's."""
        return {
            "status": status,
            "step": step.name,
            "attempt": 1,
            "waiting_since": self.now,
            "deadline": self.now + step.timeout,
            "stuck": False,
        }

    def silent(self, instance: Instance, changes: Changes, fit: Fit) -> Transition:
        """Return the transition of ``instance`` by ``changes`` that leaves no line in the history."""
        changed = instance.changed({**changes, "version": instance.version + 1, "update_time": self.now})
        return Transition(changed, None, fit)

    def told(  # noqa: PLR0913 - a line of the history has so many parts
        self,
        instance: Instance,
        changes: Changes,
        event: EventType,
        *,
        step: str | None = None,
        reason: str | None = None,
        fit: Fit = Fit.ADVANCED,
    ) -> Transition:
        """Return the transition of ``instance`` by ``changes``, with its line for the history."""
        changed = self.silent(instance, changes, fit).saga
        line = Event(changed.saga_id, changed.version, self.now, event, step, reason, self.message_id)
        return Transition(changed, line, fit)


def _end(status: Status) -> Changes:
    return {"status": status, "step": None, "attempt": 1, "waiting_since": None, "deadline": None, "stuck": False}
