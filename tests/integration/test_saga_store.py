"""The saga store: what is stored comes back whole, and of two who change a saga at once only one can."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from ordersaga.messages import OrderCreated

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.orchestrator.store import CHANNEL, SagaStore
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.settings import DatabaseSettings
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status
from tests.support.scratch import database_of, migrated_database

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
NEW = Instance(
    saga_id=1,
    start=OrderCreated(order_id=1, user_id=2, product_id=3, quantity=4, price=500, address="Straße 1", create_time=NOW),
    status=Status.RUNNING,
    step="decrease-product",
    reason=None,
    attempt=1,
    waiting_since=NOW,
    deadline=NOW + timedelta(seconds=60),
    stuck=False,
    last_error=None,
    version=1,
    create_time=NOW,
    update_time=NOW,
)
STORE = SagaStore(OrderCreated)


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return migrated_database(stack, "orchestrator_svc")


@pytest.fixture(scope="module")
def database(dsn: str) -> Iterator[Database]:
    database = database_of(dsn)
    yield database
    database.close()


def saga(number: int) -> Instance:
    return replace(NEW, saga_id=number, start=replace(NEW.start, order_id=number))  # type: ignore[type-var] # a record


def save(database: Database, *changed: Instance, loaded: dict[int, Instance] | None = None) -> None:
    with database.transaction() as tx:
        STORE.save(tx, changed, loaded or {}, [])


def test_a_saga_comes_back_as_it_was_stored(database: Database) -> None:
    save(database, saga(1))
    with database.transaction() as tx:
        assert STORE.get(tx, [1]) == {1: saga(1)}
        assert STORE.load(tx, {1, 999}) == ({1: saga(1)}, STORE.now(tx))
        assert STORE.get(tx, [999]) == {}


def test_a_change_is_stored_with_its_history(database: Database) -> None:
    save(database, saga(2))
    ended = replace(
        saga(2),
        status=Status.COMPENSATED,
        step=None,
        reason="OUT_OF_STOCK",
        deadline=None,
        waiting_since=None,
        version=2,
    )
    event = Event(2, 2, NOW, EventType.STEP_REFUSED, "decrease-product", "OUT_OF_STOCK", "message-2")
    with database.transaction() as tx:
        STORE.save(tx, [ended], STORE.load(tx, {2})[0], [event])
    with database.transaction() as tx:
        assert STORE.get(tx, [2]) == {2: ended}
        assert STORE.history(tx, 2, limit=100) == [event]


def test_of_two_who_store_a_new_saga_at_once_one_has_to_try_again(database: Database) -> None:
    save(database, saga(3))
    with pytest.raises(Unavailable):
        save(database, saga(3))


def test_a_change_of_what_was_changed_meanwhile_is_refused_whole(database: Database) -> None:
    save(database, saga(4), saga(5))
    with database.transaction() as tx:
        seen, _ = STORE.load(tx, {4, 5})
    save(database, replace(saga(4), version=2), loaded=seen)
    with pytest.raises(Unavailable):
        save(database, *(replace(one, version=2, stuck=True) for one in seen.values()), loaded=seen)
    with database.transaction() as tx:
        assert [one.stuck for one in STORE.get(tx, {4, 5}).values()] == [False, False]


def load_without_waiting(database: Database, saga_id: int) -> None:
    with database.transaction() as tx:
        tx.execute("SET LOCAL lock_timeout = '200ms'")
        STORE.load(tx, {saga_id})


def test_whoever_loads_a_saga_locks_it_until_the_end_of_the_transaction(database: Database) -> None:
    save(database, saga(6))
    with database.transaction() as first:
        STORE.load(first, {6})
        with pytest.raises(psycopg.errors.LockNotAvailable, match="lock timeout"):
            load_without_waiting(database, 6)


async def test_who_follows_sagas_hears_which_have_changed(dsn: str, database: Database) -> None:
    listener = NotificationListener(DatabaseSettings.model_validate({"database_url": dsn}).database_url, CHANNEL)
    running = asyncio.create_task(listener.run())
    with listener.follow() as everything:
        assert await everything.next(10) is None, "what was before it has to look at itself"
        save(database, saga(20), saga(21))
        assert await everything.next(10) == {20: "", 21: ""}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_sagas_are_found_by_every_filter(database: Database) -> None:
    other = replace(
        saga(11), status=Status.COMPENSATING, step="create-delivery", stuck=True, attempt=6, reason="OUT_OF_STOCK"
    )
    save(database, saga(10), other)

    def found(**filters: object) -> list[int]:
        with database.transaction() as tx:
            sagas = STORE.find(tx, Filter(**filters), before=12, limit=2)  # type: ignore[arg-type] # by name
        return [one.saga_id for one in sagas if one.saga_id >= 10]

    assert found() == [11, 10]
    assert found(status=Status.COMPENSATING) == [11]
    assert found(step="decrease-product")[:1] == [10]
    assert found(stuck=True) == [11]
    assert found(min_age=timedelta(days=1)) in ([], [11, 10])
    assert found(retrying=True) == []
    assert found(retrying=False) == [11, 10]
    assert found(reason="OUT_OF_STOCK") == [11]
    assert found(ids=[10, 11], reason="UNDELIVERABLE_ADDRESS") == []


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(under_way=True),
        Filter(status=Status.COMPENSATED),
        Filter(stuck=True),
        Filter(retrying=True),
        Filter(retrying=False),
        Filter(reason="UNDELIVERABLE_ADDRESS"),
        Filter(ids=[31, 33]),
    ],
    ids=["under-way", "compensated", "stuck", "retrying", "not-retrying", "reason", "ids"],
)
def test_counts_agree_with_the_list_of_the_same_filter(database: Database, wanted: Filter) -> None:
    places = {
        31: replace(saga(31), attempt=2),
        32: replace(saga(32), attempt=6, stuck=True),
        33: replace(
            saga(33), status=Status.COMPENSATED, step=None, deadline=None, attempt=3, reason="UNDELIVERABLE_ADDRESS"
        ),
    }
    with database.transaction() as tx:
        STORE.save(tx, [one for key, one in places.items() if key not in STORE.get(tx, places)], {}, [])
    with database.transaction() as tx:
        listed = STORE.find(tx, wanted, before=None, limit=1000)
        counts = STORE.count(tx, wanted)
    assert {one[:4]: one.sagas for one in counts} == Counter(
        (one.status, one.step, one.stuck, one.retrying) for one in listed
    )


def test_counting_ends_where_there_are_enough(database: Database) -> None:
    save(database, saga(41), saga(42))
    with database.transaction() as tx:
        assert [one.sagas for one in STORE.count(tx, Filter(ids=[41, 42]), most=1)] == [1]
