"""The timers: sagas whose deadline has passed, claimed row by row, so that any number of replicas may share them."""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import psycopg
from prometheus_client import Counter, Gauge

from sagakit.avro.codec import Codec
from sagakit.errors import Unavailable
from sagakit.kafka.consumed import Partition
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Outgoing
from sagakit.orchestrator.faults import faults_in, flag
from sagakit.orchestrator.measures import SagaMeasures
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger, one_line
from sagakit.runtime.metrics import begin_at_zero
from sagakit.runtime.periodic import Periodic
from sagakit.runtime.set_aside import Claim, SetAside
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import pending_command
from sagakit.saga.overdue import overdue
from sagakit.saga.transition import Fit, Transition
from sagakit.trace_context import TraceContext, stored
from sagakit.tracing.batches import Batch
from sagakit.tracing.messages import made

log = logger("timers")

_FIRED = Counter("sagakit_saga_timers_total", "Deadlines that passed, by what became of the saga.", ["outcome"])
begin_at_zero(_FIRED, (Fit.RESENT, Fit.GAVE_UP, Fit.STUCK, Fit.NOT_UNDERSTOOD))
_WAITING = Gauge("sagakit_saga_timers_waiting", "1 while overdue sagas wait, because replies may lie unread in Kafka.")


class Readiness(Protocol):
    """Says whether replies may still lie unread; `sagakit.offsets.group_lag.GroupLag` does."""

    def is_handled(self) -> bool:
        """Say whether no message lies unread."""
        ...

    def is_missing(self, stored: Mapping[Partition, int]) -> bool:
        """Say whether a database with these stored offsets went back, and has not caught up yet."""
        ...


class _Done(NamedTuple):
    """What became of the sagas that were due."""

    transitions: list[Transition]
    faults: dict[int, str]
    """Those that this version does not understand, and why."""
    messages: list[Encoded]


class Timers(Periodic):
    """Fires the deadlines that have passed, from a thread of its own.

    A command that an operator asked for is sent at once. A saga that is merely overdue waits while messages to sagas
    are not handled yet, or while the brokers do not answer: a lag or an outage must not become a storm of repeated
    commands, or even of compensations. Where the database went back, all wait until it has caught up.
    """

    def __init__(  # noqa: PLR0913 - each is a part that it is wired from
        self,
        database: Database,
        saga: Saga,
        store: SagaStore,
        codec: Codec,
        producer: Producer,
        *,
        lag: Readiness,
        interval_seconds: float,
        limit: int,
    ) -> None:
        """Fire up to ``limit`` sagas every ``interval_seconds``; `start` begins."""
        super().__init__("timers", self._pass, interval_seconds=interval_seconds)
        self._database, self._saga, self._store = database, saga, store
        self._codec, self._producer, self._lag = codec, producer, lag
        self._set_aside, self._measures = SetAside("saga", limit, self._flag), SagaMeasures(saga)

    def _pass(self) -> bool:
        self.fire_once()
        return False  # the rest waits for the next look, which limits what is sent again

    def fire_once(self) -> int:
        """Let one batch of due sagas go on, commit, then publish their commands; return how many sagas it was.

        The commit comes first: an undo must not be sent while the stored saga still goes forward.

        Raises:
            Unavailable: Kafka did not take every command; what was not sent goes out at the saga's next deadline.
            psycopg.OperationalError: the database is away; nothing was done.
        """
        if not self._something_is_due():
            return 0
        all_due = self._silence_means_something()
        with Batch(f"deadlines {self._saga.name}") as spans:
            done = self._advance(spans, all_due=all_due)
            spans.done(transition.saga.saga_id for transition in done.transitions)
            made(done.messages)
            self._producer.deliver(done.messages)
        return len(done.transitions) + len(done.faults)

    def _something_is_due(self) -> bool:
        return self._database.transact(lambda tx: self._store.any_due(tx, self._set_aside.ids))

    def _silence_means_something(self) -> bool:
        try:
            handled = self._lag.is_handled()
        except Unavailable:
            handled = False
        _WAITING.set(not handled)
        return handled

    def _advance(self, spans: Batch, *, all_due: bool) -> _Done:
        done = self._set_aside.work(
            lambda claim: self._database.transact(lambda tx: self._let_go_on(tx, claim, spans, all_due=all_due)),
            spans.failed,
        )
        for transition in done.transitions:
            self._measures.fired(transition)
            _report(transition)
        _FIRED.labels(Fit.NOT_UNDERSTOOD.value).inc(len(done.faults))
        return done

    def _let_go_on(self, tx: Transaction, claim: Claim, spans: Batch, *, all_due: bool) -> _Done:
        """Let the sagas of ``claim`` go on; flag those that this version does not understand."""
        if self._lag.is_missing(self._store.offsets(tx)):
            return _Done([], {}, [])  # what is due in a database that went back may have been done long ago
        loaded = self._store.claim_due(tx, claim, all_due=all_due)
        now = self._store.now(tx)
        faults = faults_in(self._saga, loaded)
        transitions = [overdue(self._saga, one, now) for saga_id, one in loaded.items() if saga_id not in faults]
        places = [_beneath(spans, transition) for transition in transitions]
        changed = [transition.saga for transition in transitions]
        self._store.save(tx, changed, loaded, [t.event for t in transitions if t.event])
        if faults:
            flag(tx, self._store, faults)
        messages = [
            self._codec.encode(Outgoing(pending_command(self._saga, one.saga), trace=place))
            for one, place in zip(transitions, places, strict=True)
        ]
        return _Done(transitions, faults, messages)

    def _flag(self, saga_id: int, error: str) -> None:
        """Note on a saga that is set aside why it fails."""
        try:
            self._database.transact(lambda tx: flag(tx, self._store, {saga_id: error}))
        except psycopg.Error as why:
            log.warning("saga cannot be flagged", saga_id=saga_id, error=one_line(why))


def _beneath(spans: Batch, transition: Transition) -> TraceContext | None:
    """Return the place beneath the span of a deadline that has passed, which is in the trace of its saga."""
    saga = transition.saga
    attributes: dict[str, str | int] = {
        "sagakit.saga.step": saga.step or "",
        "sagakit.saga.attempt": saga.attempt,
        "sagakit.saga.fit": transition.fit.value,
    }
    return spans.add(saga.saga_id, f"deadline {saga.step or 'ended'}", attributes, stored(saga.traceparent))


def _report(transition: Transition) -> None:
    saga = transition.saga
    _FIRED.labels(transition.fit.value).inc()
    if transition.fit is Fit.GAVE_UP:
        log.warning("saga gives up and compensates", saga_id=saga.saga_id, step=saga.step, error=saga.last_error)
    elif transition.event and transition.fit is Fit.STUCK:
        log.error("saga is stuck", saga_id=saga.saga_id, step=saga.step, error=saga.last_error)
