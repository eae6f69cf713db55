"""Ends of orders: each order ends once, and a follower gets its end, whatever was asked for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from ordersaga.messages import CancelOrderCommand, CompleteOrderCommand
from prometheus_client import REGISTRY

from devstack.stack import Stack
from order_svc import store
from order_svc.handlers import cancel_orders, complete_orders
from order_svc.orders import Ending, NewOrder, Order, OrderStatus
from sagakit.errors import Poison
from sagakit.postgres.database import Database
from sagakit.postgres.notifications import NotificationListener
from sagakit.postgres.settings import DatabaseSettings
from tests.support.scratch import database_of, migrated_database

SECONDS = 10
COMPLETED, CANCELLED = OrderStatus.COMPLETED, OrderStatus.CANCELLED
REASON = 'a "reason"\nof two lines, with ä and €'


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return migrated_database(stack, "order_svc")


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    database = database_of(dsn)
    yield database
    database.close()


@asynccontextmanager
async def followed(dsn: str) -> AsyncIterator[NotificationListener]:
    listener = NotificationListener(DatabaseSettings.model_validate({"database_url": dsn}).database_url, store.CHANNEL)
    running = asyncio.create_task(listener.run())
    yield listener
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def place(database: Database, count: int) -> list[Order]:
    with database.transaction() as tx:
        return list(store.insert(tx, [NewOrder(1, 2, 3, 100, "Main Street 1", None)] * count, 60.0).values())


def end(database: Database, *endings: Ending) -> set[int]:
    with database.transaction() as tx:
        ended = store.end(tx, endings)
    return ended()


def stored(database: Database, *orders: Order) -> list[Order]:
    with database.transaction() as tx:
        found = store.get(tx, [order.order_id for order in orders])
    return [found[order.order_id] for order in orders]


def counted() -> float:
    return REGISTRY.get_sample_value("ordersaga_orders_ended_total", {"status": "COMPLETED"}) or 0.0


def contradictions() -> float:
    return REGISTRY.get_sample_value("ordersaga_order_contradictions_total") or 0.0


def test_an_order_ends_once_and_stays_as_it_ended_first(database: Database) -> None:
    one, other, third = place(database, 3)
    assert end(database, Ending(other.order_id, CANCELLED, REASON), Ending(one.order_id, COMPLETED)) == {
        one.order_id,
        other.order_id,
    }
    assert end(database, Ending(one.order_id, CANCELLED, REASON), Ending(third.order_id, COMPLETED)) == {third.order_id}
    first, second, last = stored(database, one, other, third)
    assert [first.status, second.status, last.status] == [COMPLETED, CANCELLED, COMPLETED]
    assert [first.cancel_reason, second.cancel_reason] == [None, REASON]


async def test_who_follows_an_order_hears_what_has_become_of_it(dsn: str, database: Database) -> None:
    one, other, bystander = place(database, 3)
    async with followed(dsn) as listener:
        with listener.follow() as everything:
            await everything.next(SECONDS)
            end(database, Ending(one.order_id, COMPLETED), Ending(other.order_id, CANCELLED, REASON))
            news = await everything.next(SECONDS)
    assert news is not None
    assert news.keys() == {one.order_id, other.order_id}
    shown = [one.after(news[one.order_id]), other.after(news[other.order_id])]
    assert shown == stored(database, one, other)
    assert stored(database, bystander) == [bystander]


async def test_a_contradiction_is_shown_to_nobody_as_if_it_had_been_applied(dsn: str, database: Database) -> None:
    (order,) = place(database, 1)
    end(database, Ending(order.order_id, COMPLETED))
    async with followed(dsn) as listener:
        with listener.follow(order.order_id) as follower:
            await follower.next(SECONDS)
            assert end(database, Ending(order.order_id, CANCELLED, REASON)) == set()
            news = await follower.next(SECONDS)
    assert news is not None
    assert [order.after(news[order.order_id])] == stored(database, order)


def test_an_order_keeps_its_first_reason_and_only_another_end_raises_the_alarm(database: Database) -> None:
    (order,) = place(database, 1)
    before = contradictions()
    for reason in (REASON, "UNDONE"):
        with database.pipeline() as pipeline:
            cancel_orders([CancelOrderCommand(order_id=order.order_id, reason=reason)], pipeline)
    assert contradictions() == before
    with database.pipeline() as pipeline:
        complete_orders([CompleteOrderCommand(order_id=order.order_id)], pipeline)
    assert contradictions() == before + 1
    assert [(one.status, one.cancel_reason) for one in stored(database, order)] == [(CANCELLED, REASON)]


def test_an_end_is_counted_once_though_another_of_its_batch_is_poison(database: Database) -> None:
    (order,) = place(database, 1)
    before = counted()
    good = CompleteOrderCommand(order_id=order.order_id)
    with pytest.raises(Poison), database.pipeline() as pipeline:
        complete_orders([good, CompleteOrderCommand(order_id=10**12)], pipeline)
    with database.pipeline() as pipeline:
        complete_orders([good], pipeline)  # the consumer halves the batch
    assert counted() == before + 1
    assert [one.status for one in stored(database, order)] == [COMPLETED]
