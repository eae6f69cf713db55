"""The same requests at two replicas at once, as clients do that hedge or retry elsewhere: each is answered alike."""

import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest

from devstack.stack import Stack
from order_svc import store
from order_svc.orders import NewOrder, Order
from sagakit.outbox.group_commit import GroupCommit
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from tests.support.scratch import database_of, migrated_database
from tests.support.sql import count
from tests.support.wait import eventually

A, B, C = sorted(str(uuid.uuid4()) for _ in range(3))
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def dsn(stack: Stack) -> str:
    return migrated_database(stack, "order_svc")


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    database = database_of(dsn)
    yield database
    database.close()


def of(user_id: int, request_id: str) -> NewOrder:
    return NewOrder(user_id, 1, 1, 100, "", request_id)


@contextmanager
def held(database: Database, *requests: NewOrder) -> Iterator[None]:
    """Lock the keys of ``requests`` in a transaction that is rolled back in the end."""
    with suppress(InterruptedError), database.transaction() as tx:
        store.insert(tx, requests, 60.0)
        yield
        raise InterruptedError


def waiting(dsn: str, number: int) -> None:
    def look() -> None:
        assert count(dsn, WAITING) == number

    eventually(look)


@pytest.mark.parametrize(
    ("first", "between", "last"),
    [(of(1, A), of(1, B), of(1, C)), (of(1, A), of(2, A), of(3, A)), (of(2, A), of(2, B), of(1, C))],
    ids=["of one user", "of several users with one id", "of several users"],
)
def test_groups_that_meet_in_another_order_wait_and_do_not_deadlock(
    dsn: str, database: Database, first: NewOrder, between: NewOrder, last: NewOrder
) -> None:
    def insert(*requests: NewOrder) -> int:
        with database.transaction() as tx:
            return len(store.insert(tx, requests, 60.0))

    with ThreadPoolExecutor() as pool:
        groups: list[Future[int]] = []
        with held(database, between):
            for group in ((first, between, last), (last, between, first)):
                groups.append(pool.submit(insert, *group))
                waiting(dsn, len(groups))
        assert sorted(group.result() for group in groups) == [0, 3]


async def test_a_request_whose_key_somebody_holds_fails_alone(dsn: str, database: Database) -> None:
    wanted = [NewOrder(1, 1, 1, 100, "", None), of(1, A), of(1, B), of(1, C), NewOrder(2, 1, 1, 100, "", None)]
    groups: list[int] = []

    def insert(tx: Transaction, requests: Sequence[NewOrder]) -> list[Order]:
        groups.append(len(requests))
        tx.execute("SET LOCAL lock_timeout = '300ms'")
        stored = store.insert(tx, requests, 60.0)
        return [stored[place] for place in range(len(requests))]

    async def run(requests: Sequence[NewOrder]) -> Sequence[Order]:
        return await database.run(lambda tx: insert(tx, requests))

    with held(database, of(1, B)):
        results = await GroupCommit("test", run, 500).all(wanted)
    assert [type(result) for result in results] == [Order, Order, psycopg.errors.LockNotAvailable, Order, Order]
    assert groups == [5, 1, 1, 1, 1, 1]
    assert count(dsn, "SELECT count(*) FROM orders") == 4
