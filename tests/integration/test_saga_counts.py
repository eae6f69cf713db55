"""The gauges of sagas agree with the lists of sagas, and cost little however many there are."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from devstack.stack import Stack
from sagakit.orchestrator import counts
from sagakit.orchestrator.counts import SagaCounts
from sagakit.orchestrator.store import SagaStore, counting, finding
from sagakit.postgres.database import Database
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Instance, Status
from sagakit.testing.example import TRIP_SAGA, TripPlanned
from tests.support.scratch import database_of, migrated_database

STORE = SagaStore(TripPlanned)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
STEPS = [step.name for step in TRIP_SAGA.steps]
PENDING = Instance(
    saga_id=1,
    start=TripPlanned(1, "Rome", 2),
    status=Status.RUNNING,
    step=STEPS[0],
    reason=None,
    attempt=1,
    waiting_since=NOW,
    deadline=NOW + timedelta(minutes=1),
    stuck=False,
    last_error=None,
    version=1,
    create_time=NOW,
    update_time=NOW,
)
ENDED = replace(PENDING, status=Status.COMPLETED, step=None, waiting_since=None, deadline=None)


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(migrated_database(stack, "orchestrator_svc"))
    yield database
    database.close()


def store(database: Database, *sagas: Instance) -> None:
    with database.transaction() as tx:
        stored = [replace(one, saga_id=number) for number, one in enumerate(sagas, 1)]
        STORE.save(tx, stored, {}, [])


def shown(gauge: str) -> Mapping[tuple[str, ...], float]:
    """Return what a gauge shows, but for zeros, by the values of its labels in their names' order."""
    samples = [one for family in REGISTRY.collect() for one in family.samples if one.name == gauge]
    return {tuple(text for _, text in sorted(one.labels.items())): one.value for one in samples if one.value}


def listed(database: Database, wanted: Filter) -> list[Instance]:
    with database.transaction() as tx:
        return STORE.find(tx, wanted, before=None, limit=1000)


def test_each_gauge_agrees_with_the_list_of_its_sagas(database: Database) -> None:
    undone = replace(PENDING, status=Status.COMPENSATING, reason="CANCEL_REQUESTED")
    store(
        database,
        *[PENDING] * 3,
        *[replace(PENDING, attempt=2)] * 2,
        replace(PENDING, attempt=0),
        *[replace(PENDING, step=STEPS[1], attempt=5, stuck=True)] * 4,
        *[replace(undone, step=STEPS[1], attempt=3)] * 2,
        undone,
        *[ENDED] * 5,
        replace(ENDED, stuck=True),
    )
    SagaCounts(database, TRIP_SAGA, STORE).count_once()
    for step in STEPS:
        for status in (Status.RUNNING, Status.COMPENSATING):
            there = listed(database, Filter(step=step, status=status))
            assert shown("sagakit_sagas_pending").get((status, step), 0) == len(there)
        again = listed(database, Filter(step=step, retrying=True))
        assert shown("sagakit_sagas_retrying").get((step,), 0) == len(again)
        assert shown("sagakit_sagas_stuck").get((step,), 0) == len(listed(database, Filter(step=step, stuck=True)))
    assert sum(shown("sagakit_sagas_stuck").values()) == len(listed(database, Filter(stuck=True))) == 5
    assert sum(shown("sagakit_sagas_pending").values()) == len(listed(database, Filter(under_way=True))) == 13
    assert shown("sagakit_sagas_retrying") == {(STEPS[0],): 2, (STEPS[1],): 2}
    assert shown("sagakit_sagas_stuck") == {(STEPS[1],): 4, ("ended",): 1}


def test_what_was_shown_goes_back_to_zero(database: Database) -> None:
    counted = SagaCounts(database, TRIP_SAGA, STORE)
    store(database, replace(PENDING, stuck=True), replace(PENDING, attempt=2))
    counted.count_once()
    with database.transaction() as tx:
        tx.execute("DELETE FROM sagas")
    counted.count_once()
    gauges = ("sagakit_sagas_pending", "sagakit_sagas_retrying", "sagakit_sagas_stuck")
    assert [shown(gauge) for gauge in gauges] == [{}] * 3


def test_steps_that_others_have_named_are_one_series(database: Database) -> None:
    store(database, *[replace(PENDING, step=f"a step of version {number}") for number in range(9)])
    SagaCounts(database, TRIP_SAGA, STORE).count_once()
    assert shown("sagakit_sagas_pending") == {("RUNNING", "unknown"): 9}


def test_a_few_among_many_are_counted_by_the_indexes(database: Database) -> None:
    """A count that reads all sagas that have ever ended would cost more each day."""
    with database.transaction() as tx:
        tx.execute(
            """INSERT INTO sagas (saga_id, start, status, attempt, stuck, version, create_time, update_time)
               SELECT n, '{}', 'COMPLETED', 1, false, 1, now(), now() FROM generate_series(1, 20000) AS n"""
        )
        tx.execute(
            """INSERT INTO sagas
                   (saga_id, start, status, step, attempt, deadline, stuck, version, create_time, update_time)
               SELECT n, '{}', 'RUNNING', 'book-car', 1, now(), true, 1, now(), now()
               FROM generate_series(20001, 20010) AS n"""
        )
    with database.transaction() as tx:
        tx.execute("ANALYZE sagas")
    plans = []
    for wanted in (Filter(under_way=True), Filter(stuck=True)):
        query, parameters = counting(wanted, None)
        with database.transaction() as tx:
            plans.append("\n".join(row[0] for row in tx.execute(f"EXPLAIN {query}", parameters)))
    assert "sagas_by_deadline" in plans[0]
    assert "sagas_stuck" in plans[1]
    assert not [plan for plan in plans if "Seq Scan" in plan]


def test_those_that_began_long_ago_are_found_without_reading_the_younger(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute(
            """INSERT INTO sagas (saga_id, start, status, attempt, stuck, version, create_time, update_time)
               SELECT n, '{}', 'COMPLETED', 1, false, 1, now() - make_interval(secs => 20000 - n), now()
               FROM generate_series(1, 20000) AS n"""
        )
    with database.transaction() as tx:
        tx.execute("ANALYZE sagas")
    wanted = Filter(min_age=timedelta(hours=5))
    query, parameters = finding(wanted, None, 51)
    with database.transaction() as tx:
        assert STORE.find(tx, wanted, before=None, limit=0) == []  # it says how the server is to go about it
        plan = "\n".join(row[0] for row in tx.execute(f"EXPLAIN {query}", parameters))
    assert "Index Scan Backward using sagas_by_age" in plan
    assert "Index Cond: (create_time" in plan


def test_a_count_that_takes_long_is_made_more_rarely(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(SagaCounts):
        counted = 0

        def count_once(self) -> None:
            self.counted += 1
            clock.now += 3

    class Clock:
        now = 1000.0

        def monotonic(self) -> float:
            return self.now

    clock = Clock()
    monkeypatch.setattr(counts, "time", clock)
    slow = Slow(database, TRIP_SAGA, STORE)
    for _ in range(200):
        slow._pass()  # noqa: SLF001 - the thread's turn
        clock.now += 5
    assert slow.counted * 3 <= clock.now / 20
