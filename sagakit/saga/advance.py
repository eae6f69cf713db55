"""The transition function: how a message changes a saga. Pure: no clock, no database, no network."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sagakit.errors import NotHeardOf, Poison, Repeated
from sagakit.records import Record, same
from sagakit.saga.declaration import Saga, Step
from sagakit.saga.instance import EventType, Instance, Status
from sagakit.saga.transition import CANCEL_REQUESTED, Fit, Moves, Transition

UNDONE = "UNDONE"
"""Reason of a compensation that began earlier, and that the database has forgotten."""


def advance(saga: Saga, instance: Instance | None, message: Record, message_id: str, now: datetime) -> Transition:
    """Return how ``message`` changes ``instance`` at ``now``; the instance is None where none is stored.

    Raises:
        Poison: the message is for a saga that does not exist, repeats a start with other content, or has a type that
            the saga does not know.
    """
    return _Advance(saga, instance.moment(now) if instance else now, message_id).take(instance, message)


@dataclass(frozen=True)
class _Advance(Moves):
    def take(self, instance: Instance | None, message: Record) -> Transition:
        # The type itself counts, never one that it inherits from: in Kafka each record type has a name of its own.
        kind = type(message)
        if kind is self.saga.start:
            return self._started(instance, message)
        if kind is self.saga.cancel.message:
            return self._cancelled(instance, message)
        if instance is None:
            raise NotHeardOf("UNKNOWN_SAGA", f"{kind.__name__} for saga {message.key}, which never began")
        for step in self.saga.steps:
            if kind is step.done:
                return self._replied(instance, step, message)
            if kind is step.undone:
                return self._undone(instance, step)
        raise Poison("NOT_HANDLED", f"saga {self.saga.name} has no use for {kind.__name__}")

    def _started(self, instance: Instance | None, message: Record) -> Transition:
        if instance is None:
            new = self._new(message)
            return self.with_event(new, self.wait(Status.RUNNING, self.saga.steps[0]), EventType.STARTED)
        _must_be_same(instance.start, message)
        return Transition(instance, None, Fit.REPEATED_START)

    def _cancelled(self, instance: Instance | None, message: Record) -> Transition:
        start, note = self.saga.cancel.start(message), self.saga.cancel.note(message)
        if instance is None:
            undoing = self.undo_all(CANCEL_REQUESTED)
            return self.with_event(self._new(start), undoing, EventType.CANCEL_ACCEPTED, reason=note)
        _must_be_same(instance.start, start)
        if instance.compensates:
            return Transition(instance, None, Fit.REPEATED_CANCEL)
        too_late = self.with_event(instance, {}, EventType.CANCEL_TOO_LATE, reason=note, fit=Fit.NOTED)
        return self.cancel(instance, note) or too_late

    def _replied(self, instance: Instance, step: Step, reply: Any) -> Transition:  # noqa: ANN401 - a step's Reply
        if instance.compensates:
            return Transition(instance, None, Fit.LATE_REPLY, self._undo_of(instance, step, reply))
        position = self.saga.position(step.name)
        if instance.status is not Status.RUNNING or instance.step != step.name:
            done = instance.step is None or position < self.saga.position(instance.step)
            if done and not reply.success:
                return self._taken_back(instance, step, reply.reason or "REFUSED")
            return Transition(instance, None, Fit.UNEXPECTED_REPLY)
        if reply.success:
            return self.with_event(instance, self.forward(position + 1), EventType.STEP_DONE, step=step.name)
        reason = reply.reason or "REFUSED"
        if not self.may_be_undone(instance):
            return self._held(instance, EventType.STEP_REFUSED, step, reason)
        undoing = self.compensate(position - 1, reason)
        return self.with_event(instance, undoing, EventType.STEP_REFUSED, step=step.name, reason=reason)

    def _undo_of(self, instance: Instance, step: Step, reply: Any) -> Record | None:  # noqa: ANN401 - a step's Reply
        """Return the undo of ``step`` where the step is done and no pending command undoes it.

        A step can be done after it was refused: its participant's database went back and forgot the refusal. Where the
        step is undone already, undoing it again does no harm.
        """
        passed = instance.step is None or self.saga.position(step.name) > self.saga.position(instance.step)
        return step.undo(instance.start) if passed and reply.success else None

    def _taken_back(self, instance: Instance, step: Step, reason: str) -> Transition:
        """Handle a refusal of ``step``, which was done before.

        Its participant's database went back, and the participant could not do the step a second time. Up to the pivot
        the saga is undone; after it, the saga is marked as stuck for an operator.
        """
        why = f"{step.name} was done before, and is refused now: {reason}"
        if self.may_be_undone(instance):
            return self.with_event(instance, self.undo_all(reason), EventType.STEP_REFUSED, step=step.name, reason=why)
        return self._held(instance, EventType.STEP_REFUSED, step, why)

    def _held(self, instance: Instance, event: EventType, step: Step, why: str) -> Transition:
        """Mark the saga as stuck for an operator; once, however often the message comes."""
        if instance.stuck and instance.last_error == why:
            return Transition(instance, None, Fit.UNEXPECTED_REPLY if instance.ended else Fit.REFUSED_AFTER_PIVOT)
        held, fit = {"stuck": True, "last_error": why}, Fit.REFUSED_AFTER_PIVOT
        return self.with_event(instance, held, event, step=step.name, reason=why, fit=fit)

    def _undone(self, instance: Instance, step: Step) -> Transition:
        if instance.status is Status.COMPENSATING and instance.step == step.name:
            undoing = self.compensate(self.saga.position(step.name) - 1, instance.reason or "")
            return self.with_event(instance, undoing, EventType.STEP_UNDONE, step=step.name)
        if instance.status in {Status.RUNNING, Status.COMPLETED}:
            return self._undone_before(instance, step)
        return Transition(instance, None, Fit.UNEXPECTED_REPLY)

    def _undone_before(self, instance: Instance, step: Step) -> Transition:
        """Handle an undo that nothing here asked for: the database forgot a time-out or an operator's cancel."""
        if self.may_be_undone(instance):
            return self.with_event(
                instance, self.undo_all(UNDONE), EventType.STEP_UNDONE, step=step.name, reason=UNDONE
            )
        return self._held(instance, EventType.STEP_UNDONE, step, f"{step.name} is undone, though nothing here says why")

    def _new(self, start: Record) -> Instance:
        return Instance(
            saga_id=start.key,
            start=start,
            status=Status.RUNNING,
            step=None,
            reason=None,
            attempt=1,
            waiting_since=None,
            deadline=None,
            stuck=False,
            last_error=None,
            version=0,
            create_time=self.now,
            update_time=self.now,
        )


def _must_be_same(stored: Record | None, message: Record) -> None:
    """Check that ``message`` repeats the ``stored`` start, which is kept even where the message knows more fields.

    Every command is made from the stored start, so that participants get the same content each time.
    """
    if stored is None or not same(stored, message):
        raise Repeated("REUSED_ID", f"saga {message.key} began with other content")
