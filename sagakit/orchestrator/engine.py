"""Runs sagas: takes a batch of messages, and returns the commands that follow from them."""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from typing import TypeAlias

from prometheus_client import Counter

from sagakit.errors import Poison
from sagakit.messages import Message, Outgoing
from sagakit.orchestrator.course import Course, changes, course
from sagakit.orchestrator.measures import SagaMeasures
from sagakit.orchestrator.source import SagaSource, View, Waiting
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.records import Record
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero, tally
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Status
from sagakit.saga.transition import Fit

log = logger("saga")

_MESSAGES = Counter("sagakit_saga_messages_total", "Messages to sagas, by how they fitted.", ["fit"])
begin_at_zero(_MESSAGES, Fit)

TooLate: TypeAlias = Callable[[Sequence[Record], Transaction], Collection[int]]
"""Returns those sagas, of some cancels, that had ended before their database forgot it."""


def _never(_: Sequence[Record], __: Transaction) -> Collection[int]:
    return ()


class SagaEngine:
    """Advances the sagas of one declaration."""

    def __init__(self, saga: Saga, store: SagaStore, too_late: TooLate = _never) -> None:
        """Run ``saga`` on ``store``, and ignore a cancel that is ``too_late``."""
        self._saga, self._store, self._too_late = saga, store, too_late
        self._source, self._measures = SagaSource(saga, store), SagaMeasures(saga)

    def handle(self, messages: Sequence[Message[Record]], pipeline: Pipeline) -> list[Outgoing]:
        """Advance each message's saga, in the batch's order, and return the pending command of each saga touched.

        A saga sends its pending (or final) command, once a batch, whether a message advanced it or not: that is the
        remedy for whatever was lost.

        Sagas are first taken to be as this process remembers them, and starts to be new. Where that is so, they are
        stored and committed in a single round trip. The others are locked, read and stored in a second transaction.
        """
        waiting: defaultdict[int, list[Message[Record]]] = defaultdict(list)
        for message in self._in_time(messages, pipeline):
            waiting[message.record.key].append(message)
        courses: dict[int, Course] = {}
        for view in self._source.views(waiting, pipeline):
            advanced = self._advance(view, waiting, pipeline)
            courses |= advanced
            for saga_id in advanced:
                del waiting[saga_id]
        if waiting:  # sagas of which nothing can be made: their rows are flagged
            _MESSAGES.labels(Fit.NOT_UNDERSTOOD.value).inc(sum(map(len, waiting.values())))
        return [outgoing for one in courses.values() for outgoing in one.outgoing(self._saga)]

    def _in_time(self, messages: Sequence[Message[Record]], tx: Transaction) -> Sequence[Message[Record]]:
        """Leave out cancels that came too late before, though the saga's replies may come after them this time."""
        kind = self._saga.cancel.message
        cancels = [message.record for message in messages if type(message.record) is kind]
        late = self._too_late(cancels, tx) if cancels else ()
        if not late:
            return messages
        log.warning("cancels passed over that came too late before", sagas=sorted(late))
        return [one for one in messages if not (type(one.record) is kind and one.record.key in late)]

    def _advance(self, view: View, waiting: Waiting, pipeline: Pipeline) -> dict[int, Course]:
        """Advance the sagas of ``view`` and store them; return what became of those that are stored, or unchanged."""
        courses = self._courses(view, waiting)
        changed, events = changes(courses.values())
        if view.locked:
            self._store.save(pipeline, changed, view.sagas, events)
            pipeline.commit()  # as nothing follows but to count, which is right only for what is stored
        elif changed:
            asked = time.monotonic()
            rows = self._store.save_if(pipeline, changed, view.sagas, events)
            pipeline.commit()  # in the same round trip, which brings the rows; what follows is another transaction
            stored = self._source.learn(changed, rows(), asked)
            courses = {saga_id: one for saga_id, one in courses.items() if saga_id in stored}
        self._measures.advanced(courses.values())
        _count(courses.values())
        return courses

    def _courses(self, view: View, waiting: Waiting) -> dict[int, Course]:
        """Return what the messages make of the sagas of ``view``.

        What is not locked may have been changed by somebody else. So there, what a message does not fit, or does not
        change, is left out: what is stored has to be looked at.

        Raises:
            Poison: a message does not fit a saga that is locked.
        """
        courses: dict[int, Course] = {}
        for saga_id, before in view.sagas.items():
            try:
                found = course(self._saga, before, waiting[saga_id], view.now)
            except Poison:
                if view.locked:
                    raise
                continue
            if view.locked or found.events:
                courses[saga_id] = found
        return courses


def _count(courses: Collection[Course]) -> None:
    tally(_MESSAGES, (transition.fit for one in courses for transition in one.transitions))
    for saga in (one.after for one in courses if one.ends):
        if saga.status is Status.COMPENSATED:
            log.info("saga compensated", saga_id=saga.saga_id, reason=saga.reason)
