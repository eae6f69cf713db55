"""What the services' ``store`` modules do, done to tables in memory, and the handlers made to use it."""

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar
from unittest.mock import patch

import structlog
from psycopg.errors import UniqueViolation

import delivery_svc.handlers
import order_svc.handlers
import product_svc.handlers
import saga.engine
import saga.operators
from chassis.aside import Claim
from chassis.errors import Unavailable
from chassis.pipeline import Transaction
from delivery_svc.deliveries import Delivery, DeliveryStatus
from delivery_svc.deliveries import Wanted as WantedDelivery
from order_svc.orders import Ending, Order
from product_svc.stock import Movement, Shelf, Wanted, allocate
from saga.find import Filter
from saga.instance import Event, Instance
from saga.store import SagaStore
from tests.chaos.simulation.database import of

T = TypeVar("T")
_QUIET = structlog.wrap_logger(None, wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class OrderStore:
    """`order_svc.store`, as far as the handlers use it."""

    def get(self, tx: Transaction, ids: Sequence[int]) -> dict[int, Order]:
        return _those(of(tx).read("orders"), ids)

    def end(self, tx: Transaction, endings: Sequence[Ending]) -> set[int]:
        orders = of(tx).write("orders")
        ended: set[int] = set()
        for ending in endings:
            order: Order | None = orders.get(ending.order_id)
            if order is not None and not order.final:
                orders[ending.order_id] = replace(order, status=ending.status, cancel_reason=ending.reason)
                ended.add(ending.order_id)
        tx.commit()
        return ended


class StockStore:
    """`product_svc.store`, as far as the handlers use it."""

    def lock(
        self, tx: Transaction, product_ids: Iterable[int], order_ids: Iterable[int]
    ) -> tuple[dict[int, Shelf], dict[int, Movement]]:
        return _those(of(tx).read("products"), set(product_ids)), _those(of(tx).read("movements"), list(order_ids))

    def take(self, tx: Transaction, wanted: Sequence[Wanted]) -> set[int]:
        new = [one for one in wanted if one.order_id not in of(tx).read("movements")]
        shelves = _those(of(tx).read("products"), {one.product_id for one in wanted})
        movements = allocate(new, shelves)
        refused = {movement.product_id for movement in movements if movement.refusal}
        taken = [movement for movement in movements if movement.product_id not in refused]
        self.add_movements(tx, taken)
        tx.commit()
        return {movement.order_id for movement in taken}

    def add_movements(self, tx: Transaction, movements: Sequence[Movement]) -> None:
        stored = of(tx).write("movements")
        for movement in movements:
            if movement.order_id in stored:
                raise UniqueViolation("another replica stored a movement of the same order meanwhile")
            stored[movement.order_id] = movement
        self._change_stock(tx, movements, -1)

    def undo_movements(self, tx: Transaction, movements: Sequence[Movement]) -> None:
        stored = of(tx).write("movements")
        for movement in movements:
            stored[movement.order_id] = replace(movement, undone=True)
        self._change_stock(tx, movements, 1)

    def _change_stock(self, tx: Transaction, movements: Sequence[Movement], sign: int) -> None:
        shelves = of(tx).write("products")
        for movement in movements:
            if movement.holds_stock:
                shelf: Shelf = shelves[movement.product_id]
                shelves[movement.product_id] = replace(shelf, stock=shelf.stock + sign * movement.quantity)


class DeliveryStore:
    """`delivery_svc.store`, as far as the handlers use it."""

    def lock(self, tx: Transaction, order_ids: Iterable[int]) -> dict[int, Delivery]:
        return _those(of(tx).read("deliveries"), list(order_ids))

    def add(self, tx: Transaction, wanted: Sequence[tuple[WantedDelivery, str | None]]) -> dict[int, Delivery]:
        deliveries, now = of(tx).write("deliveries"), of(tx).now
        added: dict[int, Delivery] = {}
        for one, refusal in wanted:
            if one.order_id in deliveries:
                continue
            status = DeliveryStatus.REFUSED if refusal else DeliveryStatus.SCHEDULED
            delivery_id = None if refusal else len(deliveries) + 1
            row = Delivery(one.order_id, delivery_id, one.user_id, one.address, status, refusal, now, now)
            added[one.order_id] = deliveries[one.order_id] = row
        tx.commit()
        return added

    def cancel(self, tx: Transaction, order_ids: Sequence[int]) -> None:
        deliveries = of(tx).write("deliveries")
        for order_id in order_ids:
            delivery: Delivery = deliveries[order_id]
            if delivery.status is DeliveryStatus.SCHEDULED:
                deliveries[order_id] = replace(delivery, status=DeliveryStatus.CANCELLED)


class MemorySagaStore(SagaStore):
    """`saga.store.SagaStore`, all but its queries for people."""

    @staticmethod
    def now(tx: Transaction) -> datetime:
        return of(tx).now

    def recent_now(self, tx: Transaction) -> datetime | None:
        return of(tx).now

    def load(self, tx: Transaction, ids: Collection[int]) -> tuple[dict[int, Instance], datetime]:
        return _those(of(tx).read("sagas"), ids), self.now(tx)

    def save(
        self, tx: Transaction, changed: Sequence[Instance], loaded: Mapping[int, Instance], events: Sequence[Event]
    ) -> None:
        if len(self._store(tx, changed, loaded, events)) < len(changed):
            raise Unavailable("a saga was changed by another replica meanwhile")

    def save_if(
        self, tx: Transaction, changed: Sequence[Instance], known: Mapping[int, Instance], events: Sequence[Event]
    ) -> set[int]:
        stored = self._store(tx, changed, known, events)
        tx.commit()
        return stored

    def _store(
        self, tx: Transaction, changed: Sequence[Instance], known: Mapping[int, Instance], events: Sequence[Event]
    ) -> set[int]:
        sagas, history = of(tx).write("sagas"), of(tx).write("events")
        stored = {one.saga_id for one in changed if _state(sagas.get(one.saga_id)) == _state(known.get(one.saga_id))}
        for instance in changed:
            if instance.saga_id in stored:
                sagas[instance.saga_id] = instance
        for event in events:
            if event.saga_id in stored:
                assert (event.saga_id, event.version) not in history, f"primary key of saga_events: {event}"
                history[event.saga_id, event.version] = event
        return stored

    def claim_due(self, tx: Transaction, claim: Claim, *, all_due: bool) -> dict[int, Instance]:
        now = of(tx).now
        due = [
            one
            for one in of(tx).read("sagas").values()
            if one.deadline and one.deadline <= now and (all_due or one.attempt == 0 or one.ended)
        ]
        return {one.saga_id: one for one in due[: claim.limit]}

    def pick(self, tx: Transaction, wanted: Filter, *, limit: int) -> dict[int, Instance]:
        now = of(tx).now
        found = [one for one in of(tx).read("sagas").values() if wanted.fits(one, now)]
        return {one.saga_id: one for one in found[:limit]}


def _state(instance: Instance | None) -> tuple[int, datetime] | None:
    return None if instance is None else (instance.version, instance.update_time)


def _those(rows: Mapping[int, T], ids: Collection[int]) -> dict[int, T]:
    return {one: rows[one] for one in sorted(ids) if one in rows}


@contextmanager
def in_memory(
    orders: OrderStore | None = None, stock: StockStore | None = None, deliveries: DeliveryStore | None = None
) -> Iterator[None]:
    """Have the real handlers work on stores in memory, and keep their logs quiet."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(order_svc.handlers, "store", orders or OrderStore()))
        patches.enter_context(patch.object(product_svc.handlers, "store", stock or StockStore()))
        patches.enter_context(patch.object(delivery_svc.handlers, "store", deliveries or DeliveryStore()))
        for room in (order_svc.handlers, saga.engine, saga.operators):
            patches.enter_context(patch.object(room, "log", _QUIET))
        yield
