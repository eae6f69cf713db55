"""Runs sagas: a batch of messages in, the commands they bring about out."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from prometheus_client import Counter

from sagakit.errors import Poison
from sagakit.messages import Message, Outgoing
from sagakit.orchestrator.faults import faults_in, flag
from sagakit.orchestrator.remembered import Remembered
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.records import Record
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero, tally
from sagakit.saga.advance import advance
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Event, Instance, Status, pending_command
from sagakit.saga.transition import Fit, Transition

log = logger("saga")

_MESSAGES = Counter("sagakit_saga_messages_total", "Messages to sagas, by how they fitted.", ["fit"])
_ENDED = Counter("sagakit_sagas_ended_total", "Sagas that came to their end.", ["status"])
begin_at_zero(_MESSAGES, Fit)
begin_at_zero(_ENDED, (Status.COMPLETED, Status.COMPENSATED))


@dataclass(slots=True)
class _Course:
    """What messages make of one saga."""

    before: Instance | None
    transitions: list[Transition]
    """One for each message."""
    cause: Message[Record] | None
    """The last message upon which its pending (or final) command is to be sent."""
    also: list[Outgoing]
    """What is to be sent beside it."""

    @property
    def after(self) -> Instance:
        """The saga as it is then."""
        return self.transitions[-1].saga

    @property
    def events(self) -> list[Event]:
        """What happened to it."""
        return [transition.event for transition in self.transitions if transition.event]

    @property
    def ends(self) -> bool:
        """Whether the saga comes to its end by it."""
        return self.after.ended and (self.before is None or not self.before.ended)


TooLate: TypeAlias = Callable[[Sequence[Record], Transaction], Collection[int]]
"""Returns the sagas, of those that cancels are for, that had come to their end before their database forgot it."""


def _never(_: Sequence[Record], __: Transaction) -> Collection[int]:
    return ()


class SagaEngine:
    """Advances the sagas of one declaration."""

    def __init__(self, saga: Saga, store: SagaStore, too_late: TooLate = _never) -> None:
        """Run ``saga`` on ``store``; a cancel that is ``too_late`` is passed over."""
        self._saga, self._store, self._too_late = saga, store, too_late
        self._memory = Remembered()

    def handle(self, messages: Sequence[Message[Record]], pipeline: Pipeline) -> list[Outgoing]:
        """Advance each message's saga, in the batch's order, and return the pending command of each saga touched.

        Whether a message advanced its saga or not, the saga sends its pending (or final) command, once a batch: that
        is the remedy for whatever was lost.

        Sagas are taken to be as they are remembered, and starts to be new, and are stored where that is so, in a single
        round trip. The others are locked, read and stored in a second transaction.
        """
        groups: defaultdict[int, list[Message[Record]]] = defaultdict(list)
        for message in self._in_time(messages, pipeline):
            groups[message.record.key].append(message)
        courses = self._as_remembered(groups, pipeline)
        for saga_id in courses:
            del groups[saga_id]
        if groups:
            courses |= self._as_stored(groups, pipeline)
        outgoing = [
            Outgoing(pending_command(self._saga, course.after), course.cause)
            for course in courses.values()
            if course.cause
        ]
        return outgoing + [one for course in courses.values() for one in course.also]

    def _in_time(self, messages: Sequence[Message[Record]], tx: Transaction) -> Sequence[Message[Record]]:
        """Leave out the cancels that come too late for a saga, though its replies may come after them this time."""
        cancels = [message.record for message in messages if isinstance(message.record, self._saga.cancel.message)]
        late = self._too_late(cancels, tx) if cancels else ()
        if not late:
            return messages
        log.warning("cancels passed over that came too late before", sagas=sorted(late))
        kind = self._saga.cancel.message
        return [one for one in messages if not (isinstance(one.record, kind) and one.record.key in late)]

    def _as_remembered(self, groups: Mapping[int, Sequence[Message[Record]]], pipeline: Pipeline) -> dict[int, _Course]:
        """Advance the sagas that are as they are remembered, commit, and return what became of them."""
        now = self._store.recent_now(pipeline)
        if now is None:
            return {}
        known = self._memory.recall(groups)
        guessed: dict[int, _Course] = {}
        for saga_id, group in groups.items():
            if saga_id in known or isinstance(group[0].record, self._saga.start):
                try:
                    course = self._course(known.get(saga_id), group, now)
                except Poison:
                    continue  # it may fit what is stored
                if course.after is not course.before:
                    guessed[saga_id] = course
        if not guessed:
            return {}
        changed, events = _changes(guessed.values())
        saved = self._store.save_if(pipeline, changed, known, events)
        pipeline.commit()  # which sagas are stored comes with it; to read that before would cost a round trip more
        stored = saved()
        self._memory.forget(guessed.keys() - stored)
        courses = {saga_id: course for saga_id, course in guessed.items() if saga_id in stored}
        self._memory.keep(course.after for course in courses.values())
        _count(courses.values())
        return courses

    def _as_stored(self, groups: Mapping[int, Sequence[Message[Record]]], tx: Transaction) -> dict[int, _Course]:
        """Lock and read the sagas, and advance them; those of which nothing can be made are flagged and passed over."""
        loaded, now = self._store.load(tx, groups.keys())
        faults = faults_in(self._saga, loaded)
        if faults:
            flag(tx, self._store, faults)
            _MESSAGES.labels(Fit.NOT_UNDERSTOOD.value).inc(sum(len(groups[saga_id]) for saga_id in faults))
        courses = {
            saga_id: self._course(loaded.get(saga_id), group, now)
            for saga_id, group in groups.items()
            if saga_id not in faults
        }
        changed, events = _changes(courses.values())
        self._store.save(tx, changed, loaded, events)
        _count(courses.values())
        return courses

    def _course(self, before: Instance | None, messages: Sequence[Message[Record]], now: datetime) -> _Course:
        """Return what ``messages`` make of a saga at ``now``; None is one not heard of before. Raises `Poison`."""
        transitions: list[Transition] = []
        also: list[Outgoing] = []
        cause: Message[Record] | None = None
        instance = before
        for message in messages:
            transition = advance(self._saga, instance, message.record, message.message_id, now)
            transitions.append(transition)
            instance = transition.saga
            if transition.send:
                cause = message
            if transition.also:
                also.append(Outgoing(transition.also, message))
        return _Course(before, transitions, cause, also)


def _changes(courses: Collection[_Course]) -> tuple[list[Instance], list[Event]]:
    """Return the sagas that change, by ascending id, and what happened to them."""
    events = [event for course in courses for event in course.events]
    happened = {event.saga_id for event in events}
    changed = [course.after for course in courses if course.after.saga_id in happened]
    return sorted(changed, key=lambda instance: instance.saga_id), events


def _count(courses: Collection[_Course]) -> None:
    tally(_MESSAGES, (transition.fit for course in courses for transition in course.transitions))
    for course in courses:
        if course.ends:
            _ENDED.labels(course.after.status.value).inc()
            if course.after.status is Status.COMPENSATED:
                log.info("saga compensated", saga_id=course.after.saga_id, reason=course.after.reason)
