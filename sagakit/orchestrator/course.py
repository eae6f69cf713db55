"""What the messages of a batch make of one saga. Pure, like `sagakit.saga.advance`, which it calls for each message."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sagakit.messages import Message, Outgoing
from sagakit.records import Record
from sagakit.saga.advance import advance
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Event, Instance, pending_command
from sagakit.saga.transition import Transition
from sagakit.trace_context import if_recorded, stored, to_store


@dataclass(slots=True)
class Course:
    """What the messages of a batch make of one saga."""

    before: Instance | None
    transitions: list[Transition]
    """One for each message."""
    events: list[Event]
    """What happened to it."""
    cause: Message[Record] | None
    """The last message upon which its pending (or final) command is to be sent."""
    also: list[Outgoing]
    """What is to be sent beside it."""

    @property
    def after(self) -> Instance:
        """The saga as it is then."""
        return self.transitions[-1].saga

    @property
    def ends(self) -> bool:
        """Whether the saga comes to its end by it."""
        return self.after.ended and (self.before is None or not self.before.ended)

    def outgoing(self, saga: Saga) -> list[Outgoing]:
        """Return what is to be sent: at most once the pending (or final) command.

        It goes on in the trace of its cause or, where nobody records that, in the one in which the saga began.
        """
        if self.cause is None:
            return self.also
        own = None if if_recorded(self.cause.trace) else stored(self.after.traceparent)
        return [Outgoing(pending_command(saga, self.after), self.cause, own), *self.also]


def course(saga: Saga, before: Instance | None, messages: Sequence[Message[Record]], now: datetime) -> Course:
    """Return what ``messages`` make of a saga at ``now``; ``before`` is None for one not heard of before.

    Raises:
        Poison: a message does not fit it, as `advance` says.
    """
    transitions: list[Transition] = []
    events: list[Event] = []
    also: list[Outgoing] = []
    cause: Message[Record] | None = None
    instance = before
    for message in messages:
        transition = advance(saga, instance, message.record, message.message_id, now)
        if instance is None and (began_at := to_store(message.trace)):
            transition = replace(transition, saga=transition.saga.changed({"traceparent": began_at}))
        transitions.append(transition)
        instance = transition.saga
        if transition.event:
            events.append(transition.event)
        if transition.send:
            cause = message
        if transition.also:
            also.append(Outgoing(transition.also, message))
    return Course(before, transitions, events, cause, also)


def changes(courses: Collection[Course]) -> tuple[list[Instance], list[Event]]:
    """Return the sagas that change, by ascending id, and what happened to them."""
    changed = [course.after for course in courses if course.events]
    return sorted(changed, key=lambda saga: saga.saga_id), [event for course in courses for event in course.events]
