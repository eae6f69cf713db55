"""The timers on a real database and broker: what is due goes out, once, whoever of the replicas takes it."""

import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from opentelemetry.trace import StatusCode

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.orchestrator.operators import Operators
from sagakit.orchestrator.store import SagaStore
from sagakit.orchestrator.timers import Timers
from sagakit.postgres.database import Database
from sagakit.postgres.sql import array
from sagakit.saga import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status
from sagakit.testing.example import TRIP_SAGA, TripPlanned
from tests.support.kafka import Tape, create_topic, delete_topics, headers, taped
from tests.support.registry import registry_client
from tests.support.scratch import PREFIX, database_of, migrated_database, ping_on, register
from tests.support.spans import keeping, named

STORE = SagaStore(TripPlanned)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Said:
    """Says whether silence means something, as the test has it."""

    def __init__(self, *, handled: bool = True, away: bool = False, missing: bool = False) -> None:
        self.handled, self.away, self.missing = handled, away, missing

    def is_handled(self) -> bool:
        if self.away:
            raise Unavailable("the brokers do not answer")
        return self.handled

    def is_missing(self, _: Mapping[tuple[str, int], int]) -> bool:
        return self.missing


class Deaf(Producer):
    """A producer whose broker takes nothing."""

    def publish(self, messages: Sequence[Encoded]) -> Future[None]:
        assert messages
        failed: Future[None] = Future()
        failed.set_exception(Unavailable("Kafka did not take every message"))
        return failed


@dataclass
class Clockwork:
    """Sagas in a database of their own, timers for them, and a topic for the first step's command, here a ping."""

    saga: Saga
    database: Database
    codec: Codec
    producer: Producer
    tape: Tape

    def timers(self, said: Said | None = None, *, limit: int = 100, producer: Producer | None = None) -> Timers:
        return Timers(
            self.database,
            self.saga,
            STORE,
            self.codec,
            producer or self.producer,
            lag=said or Said(),
            interval_seconds=0.05,
            limit=limit,
        )

    def fire_all(self) -> None:
        """Have the timers see to all that is due."""
        timers = self.timers()
        while timers.fire_once():
            pass

    def waiting(
        self,
        *ids: int,
        overdue: timedelta = timedelta(seconds=1),
        attempt: int = 1,
        traceparent: str | None = None,
    ) -> None:
        """Store sagas that wait for a hotel, overdue for so long."""
        now = datetime.now(UTC)
        late = {"deadline": now - overdue, "attempt": attempt, "update_time": now, "traceparent": traceparent}
        sagas = [_waiting(one, now).changed(late) for one in ids]
        with self.database.transaction() as tx:
            events = [Event(saga.saga_id, 1, now, EventType.STARTED, None, None, "a message") for saga in sagas]
            STORE.save(tx, sagas, {}, events)

    def stored(self, saga_id: int) -> Instance:
        with self.database.transaction() as tx:
            return STORE.get(tx, [saga_id])[saga_id]

    def sent(self, count: int) -> list[int]:
        """Return the ids of the sagas whose command was sent, once there are ``count``."""
        return sorted(int(message.key() or b"") for message in self.tape.until(count))


def _waiting(saga_id: int, now: datetime) -> Instance:
    return Instance(
        saga_id=saga_id,
        start=TripPlanned(saga_id, "Rome", 2),
        status=Status.RUNNING,
        step="book-hotel",
        reason=None,
        attempt=1,
        waiting_since=now,
        deadline=now,
        stuck=False,
        last_error=None,
        version=1,
        create_time=now,
        update_time=now,
    )


@pytest.fixture
def clockwork(stack: Stack) -> Iterator[Clockwork]:
    database = database_of(migrated_database(stack, "orchestrator_svc"))
    producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    topic = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    create_topic(stack.bootstrap, topic)
    ping = ping_on(topic)
    first, *others = TRIP_SAGA.steps
    saga = replace(TRIP_SAGA, steps=(replace(first, do=lambda trip: ping(trip.key)), *others))
    with registry_client(stack.registry_url) as registry, taped(stack.bootstrap, topic) as tape:
        register(registry, ping)
        codec = Codec(registry, [ping])
        codec.load()
        yield Clockwork(saga, database, codec, producer, tape)
    producer.close(5)
    database.close()
    delete_topics(stack.bootstrap, topic)


def test_what_is_overdue_is_sent_again_and_waits_for_longer(clockwork: Clockwork) -> None:
    clockwork.waiting(1)
    assert clockwork.timers().fire_once() == 1
    assert clockwork.sent(1) == [1]
    saga = clockwork.stored(1)
    assert (saga.attempt, saga.version) == (2, 2)
    assert saga.deadline is not None
    assert saga.deadline > datetime.now(UTC) + timedelta(seconds=80)
    with clockwork.database.transaction() as tx:
        assert [event.type for event in STORE.history(tx, 1, limit=100)] == [
            EventType.STARTED,
            EventType.STEP_TIMED_OUT,
        ]


def test_what_is_sent_again_goes_on_in_the_trace_in_which_its_saga_began(clockwork: Clockwork) -> None:
    clockwork.waiting(1)
    clockwork.waiting(2, traceparent=TRACEPARENT)
    assert clockwork.timers().fire_once() == 2
    sent = {int(message.key() or b""): headers(message)["traceparent"].decode() for message in clockwork.tape.until(2)}
    assert sent[2] == TRACEPARENT
    assert sent[1].endswith("-00")
    assert [clockwork.stored(one).traceparent for one in (1, 2)] == [None, TRACEPARENT]


def test_what_is_not_due_is_left_alone(clockwork: Clockwork) -> None:
    clockwork.waiting(2, overdue=timedelta(seconds=-30))
    assert clockwork.timers().fire_once() == 0
    assert clockwork.stored(2).attempt == 1


def test_two_replicas_share_what_is_due(clockwork: Clockwork) -> None:
    clockwork.waiting(*range(100, 160))
    replicas = [clockwork.timers(limit=10) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        while sum(pool.map(lambda timers: timers.fire_once(), replicas)):
            pass
    assert clockwork.sent(60) == list(range(100, 160))
    assert {clockwork.stored(one).attempt for one in range(100, 160)} == {2}


def test_a_saga_that_somebody_has_in_hand_is_left_to_them(clockwork: Clockwork) -> None:
    clockwork.waiting(3, 4)
    with clockwork.database.transaction() as other:
        STORE.load(other, {3})
        assert clockwork.timers().fire_once() == 1
    assert (clockwork.stored(3).attempt, clockwork.stored(4).attempt) == (1, 2)


@pytest.mark.parametrize("said", [Said(handled=False), Said(away=True)], ids=["backlog", "broker-away"])
def test_while_replies_may_lie_unread_silence_means_nothing(clockwork: Clockwork, said: Said) -> None:
    clockwork.waiting(5, attempt=5)
    assert clockwork.timers(said).fire_once() == 0
    assert clockwork.stored(5).status is Status.RUNNING
    assert clockwork.stored(5).attempt == 5


def test_what_an_operator_asks_for_goes_out_at_once_all_the_same(clockwork: Clockwork) -> None:
    clockwork.waiting(6, 7)
    with clockwork.database.transaction() as tx:
        Operators(TRIP_SAGA, STORE).retry(tx, Filter(ids=[6]), "ann", limit=1)
    assert clockwork.timers(Said(handled=False)).fire_once() == 1
    assert clockwork.sent(1) == [6]
    assert clockwork.stored(6).attempt == 1


def test_in_a_database_that_went_back_nothing_fires_until_it_has_caught_up(clockwork: Clockwork) -> None:
    """What is due there may long be done, also where an operator asked for it."""
    clockwork.waiting(7)
    clockwork.waiting(8, attempt=0)
    assert clockwork.timers(Said(missing=True)).fire_once() == 0
    assert clockwork.sent(0) == []
    assert clockwork.stored(7).attempt == 1
    assert clockwork.timers().fire_once() == 2
    assert clockwork.sent(2) == [7, 8]


def test_sagas_that_cannot_go_on_are_set_aside_and_keep_no_other_waiting(clockwork: Clockwork) -> None:
    clockwork.waiting(*range(200, 240))
    broken = [200, 213, 239]
    with clockwork.database.transaction() as tx:  # their next version is there already
        tx.execute(
            "INSERT INTO saga_events (create_time, saga_id, version, type, message_id) "
            "SELECT now(), unnest(%(ids)s::bigint[]), 2, 'RETRIED', ''",
            {"ids": array(broken)},
        )
    clockwork.fire_all()
    good = [one for one in range(200, 240) if one not in broken]
    assert clockwork.sent(len(good)) == good
    assert {clockwork.stored(one).attempt for one in broken} == {1}


def test_a_span_is_left_of_what_was_sent_and_of_what_was_set_aside_and_of_no_other_attempt(
    clockwork: Clockwork,
) -> None:
    clockwork.waiting(*range(300, 308), traceparent=TRACEPARENT)
    with clockwork.database.transaction() as tx:  # its next version is there already
        tx.execute(
            "INSERT INTO saga_events (create_time, saga_id, version, type, message_id) "
            "SELECT now(), 303, 2, 'RETRIED', ''"
        )
    with keeping() as kept:
        assert clockwork.timers().fire_once() == 2  # eight were claimed, then four, then these
        assert len(named(kept, "deadline book-hotel")) == 2
        assert Counter(span.name.partition(" ")[0] for span in kept.get_finished_spans())["create"] == 2
        timers = clockwork.timers()
        while timers.fire_once():
            pass
    ended = Counter(span.status.status_code for span in named(kept, "deadline book-hotel"))
    assert ended == {StatusCode.UNSET: 7, StatusCode.ERROR: 1}
    assert Counter(span.name.partition(" ")[0] for span in kept.get_finished_spans())["create"] == 7


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        ("start = '{}'", "its start cannot be read: key: Field required"),
        ("step = 'charge-card'", "this version cannot go on with it: saga trip has no step 'charge-card'"),
        ("start = jsonb_set(start, '{key}', to_jsonb(1e30::numeric))", "its start is another saga's"),
    ],
    ids=["start", "step", "key"],
)
def test_a_saga_that_this_version_does_not_understand_is_flagged_and_keeps_no_other_waiting(
    clockwork: Clockwork, harm: str, reason: str
) -> None:
    clockwork.waiting(*range(300, 310))
    with clockwork.database.transaction() as tx:
        tx.execute(f"UPDATE sagas SET {harm} WHERE saga_id = 305")  # noqa: S608 - constants
    clockwork.fire_all()
    assert clockwork.sent(9) == [one for one in range(300, 310) if one != 305]
    flagged = clockwork.stored(305)
    assert (flagged.stuck, flagged.attempt) == (True, 1)
    assert reason in (flagged.last_error or "")
    assert flagged.deadline is not None
    assert timedelta(minutes=9) < flagged.deadline - datetime.now(UTC) <= timedelta(minutes=10)
    with clockwork.database.transaction() as tx:
        assert [event.type for event in STORE.history(tx, 305, limit=9)] == [EventType.STARTED, EventType.STUCK]


def test_it_goes_on_once_a_version_runs_that_knows_it(clockwork: Clockwork) -> None:
    clockwork.waiting(310)
    for step in ("charge-card", "book-hotel"):
        with clockwork.database.transaction() as tx:
            tx.execute("UPDATE sagas SET step = %(step)s, deadline = now() WHERE saga_id = 310", {"step": step})
        clockwork.timers().fire_once()
    assert clockwork.sent(1) == [310]
    assert clockwork.stored(310).attempt == 2


@pytest.mark.parametrize("beyond", ["infinity", "-infinity"])
@pytest.mark.parametrize("column", ["waiting_since", "deadline", "create_time", "update_time"])
def test_a_time_beyond_pythons_range_holds_up_nobody(clockwork: Clockwork, column: str, beyond: str) -> None:
    clockwork.waiting(*range(320, 323))
    with clockwork.database.transaction() as tx:
        tx.execute(f"UPDATE sagas SET {column} = '{beyond}' WHERE saga_id = 321")  # noqa: S608 - constants
    clockwork.fire_all()
    assert clockwork.sent(3) == [320, 321, 322]
    assert clockwork.stored(321).attempt == 2


def test_the_most_attempts_that_a_row_holds_are_not_too_many(clockwork: Clockwork) -> None:
    clockwork.waiting(330, attempt=2**31 - 1)
    clockwork.waiting(331)
    with clockwork.database.transaction() as tx:
        tx.execute("UPDATE sagas SET status = 'COMPENSATING', stuck = true WHERE saga_id = 330")
    undone = replace(clockwork.saga.steps[0], undo=clockwork.saga.steps[0].do)
    clockwork.saga = replace(clockwork.saga, steps=(undone, *clockwork.saga.steps[1:]))
    clockwork.timers().fire_once()
    assert clockwork.sent(2) == [330, 331]
    assert clockwork.stored(330).attempt == 2**31 - 1


def test_a_command_that_kafka_did_not_take_goes_out_at_its_next_deadline(clockwork: Clockwork) -> None:
    deaf = Deaf({"bootstrap.servers": "127.0.0.1:1"}, lambda _: None)
    clockwork.waiting(8)
    with pytest.raises(Unavailable):
        clockwork.timers(producer=deaf).fire_once()
    deaf.close(1)
    assert clockwork.stored(8).attempt == 2
    with clockwork.database.transaction() as tx:
        tx.execute("UPDATE sagas SET deadline = now()")
    assert clockwork.timers().fire_once() == 1
    assert clockwork.stored(8).attempt == 3


def test_running_timers_find_by_themselves_what_becomes_due(clockwork: Clockwork) -> None:
    timers = clockwork.timers()
    timers.start()
    clockwork.waiting(9, overdue=timedelta(seconds=-0.5))
    give_up = time.monotonic() + 15
    while clockwork.stored(9).attempt == 1 and time.monotonic() < give_up:
        time.sleep(0.05)
    timers.stop()
    assert clockwork.stored(9).attempt == 2
