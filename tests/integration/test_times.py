"""Times run forward in each table, though a transaction that began before another one goes on after it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ordersaga.messages import OrderCancelRequested

import delivery_svc.store as deliveries
import order_svc.store as orders
import product_svc.store as products
from delivery_svc.deliveries import Wanted as WantedDelivery
from devstack.stack import Stack
from order_svc.orders import Ending, NewOrder, OrderStatus
from product_svc.stock import Wanted as WantedPieces
from sagakit.orchestrator.store import SagaStore
from sagakit.postgres.pipeline import Transaction
from sagakit.saga.advance import advance
from sagakit.saga.instance import Instance
from sagakit.testing.example import TRIP_SAGA, TripPlanned
from tests.support.scratch import database_of, migrated_database
from tests.support.trip import HOTEL_BOOKED, PLANNED
from tests.unit.orchestrator_svc.messages import CREATED

STORE = SagaStore(TripPlanned)


class Tables:
    """One service's tables, and a transaction on them that began long ago."""

    def __init__(self, stack: Stack, service: str) -> None:
        self.database = database_of(migrated_database(stack, service))
        self._old = self.database.pipeline()
        self.old = self._old.__enter__()
        self.old.execute("SELECT 1").fetchall()

    def row(self, sql: str) -> Any:
        with self.database.transaction() as tx:
            return tx.execute(sql).fetchone()

    def close(self) -> None:
        self._old.__exit__(None, None, None)
        self.database.close()


@pytest.fixture
def tables(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Tables]:
    tables = Tables(stack, request.param)
    yield tables
    tables.close()


def of(service: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("tables", [service], indirect=True, ids=[""])


@of("order_svc")
def test_an_order_does_not_end_before_its_cancel_was_asked_for(tables: Tables) -> None:
    with tables.database.transaction() as tx:
        (order,) = orders.insert(tx, [NewOrder(1, 2, 3, 100, "", None)], 60.0).values()
    with tables.database.transaction() as tx:
        asked = orders.request_cancel(tx, order.order_id, actor="a", note="b")
    orders.end(tables.old, [Ending(order.order_id, OrderStatus.COMPLETED)])
    tables.old.commit()
    times = tables.row("SELECT create_time, cancel_request_time, update_time FROM orders")
    assert asked.cancel_request is not None
    assert list(times) == [order.create_time, asked.cancel_request.time, asked.update_time]
    assert order.create_time < asked.update_time


@of("order_svc")
def test_a_cancel_is_not_asked_for_before_its_order_was_placed(tables: Tables) -> None:
    with tables.database.transaction() as tx:
        (order,) = orders.insert(tx, [NewOrder(1, 2, 3, 100, "", None)], 60.0).values()
    asked = orders.request_cancel(tables.old, order.order_id, actor="a", note="b")
    assert asked.cancel_request is not None
    assert asked.create_time == asked.cancel_request.time == asked.update_time


@of("order_svc")
def test_a_restored_order_and_its_cancel_are_not_earlier_than_what_was_announced(tables: Tables) -> None:
    created = replace(CREATED, create_time=datetime.now(UTC) + timedelta(seconds=10))  # by another server's clock
    asked = created.create_time + timedelta(seconds=1)
    orders.restore(tables.old, [created], {}, 60.0)
    content = {**created.to_avro(), "actor": "a", "reason": "b", "request_time": asked}
    cancel = OrderCancelRequested.from_avro(content)
    orders.restore_cancels(tables.old, [cancel])
    orders.end(tables.old, [Ending(created.order_id, OrderStatus.CANCELLED, "CANCEL_REQUESTED")])
    tables.old.commit()
    times = tables.row("SELECT create_time, cancel_request_time, update_time FROM orders")
    assert list(times) == [created.create_time, asked, asked]


@of("orchestrator_svc")
def test_a_saga_is_not_flagged_before_its_last_change(tables: Tables) -> None:
    with tables.database.transaction() as tx:
        now = STORE.load(tx, [PLANNED.key])[1]
        begun = advance(TRIP_SAGA, None, PLANNED, "m-1", now)
        STORE.save(tx, [begun.saga], {}, [begun.event] if begun.event else [])
    STORE.flag(tables.old, {PLANNED.key: "nothing can be made of it"}).fetchall()
    tables.old.commit()
    with tables.database.transaction() as tx:
        first, flagged = STORE.history(tx, PLANNED.key, limit=10)
    assert first.create_time <= flagged.create_time


@of("delivery_svc")
def test_a_delivery_is_not_cancelled_before_it_was_scheduled(tables: Tables) -> None:
    with tables.database.transaction() as tx:
        deliveries.add(tx, [(WantedDelivery(1, 1, ""), None)])
    deliveries.cancel(tables.old, [1])
    tables.old.commit()
    status, began, ended = tables.row("SELECT status, create_time, update_time FROM deliveries")
    assert (status, ended) == ("CANCELLED", began)


@of("product_svc")
def test_pieces_are_not_given_back_before_they_were_taken(tables: Tables) -> None:
    with tables.database.transaction() as tx:
        products.take(tx, [WantedPieces(1, 1, 2, 10_000)])
    _, movements = products.lock(tables.old, [1], [1])
    products.undo_movements(tables.old, list(movements.values()))
    tables.old.commit()
    undone, taken, given_back = tables.row("SELECT undone, create_time, update_time FROM stock_movements")
    assert (undone, given_back) == (True, taken)
    assert tables.row("SELECT update_time FROM products WHERE product_id = 1").update_time == taken


@of("product_svc")
def test_no_restock_and_no_order_is_earlier_than_the_restock_before_it(tables: Tables) -> None:
    def restock(tx: Transaction) -> None:
        products.lock_shelves(tx, [1])
        products.restock(tx, 1, 5, None)

    with tables.database.transaction() as tx:
        restock(tx)
    restock(tables.old)
    products.take(tables.old, [WantedPieces(1, 1, 2, 10_000)])
    tables.old.commit()
    first, second = tables.row(
        "SELECT array_agg(create_time ORDER BY restock_id DESC) FROM restocks WHERE product_id = 1"
    ).array_agg[1::-1]
    assert first == second == tables.row("SELECT update_time FROM products WHERE product_id = 1").update_time


@of("orchestrator_svc")
def test_what_is_remembered_of_a_saga_whose_time_stood_still_is_what_is_stored(tables: Tables) -> None:
    """Two have changed at a time that the clock has not reached again; one has not, and one is new."""

    def begun(number: int, ahead: int) -> Instance:
        start = replace(PLANNED, key=number)
        return advance(TRIP_SAGA, None, start, "start", now + timedelta(seconds=ahead)).saga

    with tables.database.transaction() as tx:
        now = STORE.now(tx)
    known = {number: begun(number, ahead) for number, ahead in ((1, 4), (2, 9), (3, -5))}
    for one in known.values():
        with tables.database.transaction() as tx:
            STORE.save(tx, [one], {}, [])
    replies = [replace(HOTEL_BOOKED, key=number) for number in known]
    transitions = [advance(TRIP_SAGA, known[reply.key], reply, "reply", now) for reply in replies]
    changed = [*(transition.saga for transition in transitions), begun(4, 0)]
    events = [transition.event for transition in transitions if transition.event]
    with tables.database.transaction() as tx:
        stored = STORE.save_if(tx, changed, known, events)
    assert {row.saga_id for row in stored()} == {1, 2, 3, 4}
    with tables.database.transaction() as tx:
        assert STORE.get(tx, [1, 2, 3, 4]) == {one.saga_id: one for one in changed}
        assert [STORE.history(tx, number, limit=1) for number in known] == [[event] for event in events]
    assert [one.update_time >= known[one.saga_id].update_time for one in changed if one.saga_id in known] == [True] * 3
