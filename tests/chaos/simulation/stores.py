"""What the services' ``store`` modules do, done to tables in memory, and the handlers made to use it."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple, TypeVar
from unittest.mock import patch

from psycopg.errors import UniqueViolation

import delivery_svc.handlers
import order_svc.announcer
import order_svc.cancelling
import order_svc.handlers
import order_svc.intake
import order_svc.store
import product_svc.handlers
from delivery_svc.deliveries import Delivery, DeliveryStatus
from delivery_svc.deliveries import Wanted as WantedDelivery
from devstack.services import NAMES
from order_svc.orders import CancelRequest, Ending, NewOrder, Order, OrderStatus
from product_svc.stock import Movement, Shelf, Wanted, allocate
from sagakit.postgres.pipeline import Deferred, Transaction
from sagakit.runtime.set_aside import Claim
from sagakit.testing.world.database import of
from sagakit.testing.world.seams import quiet

T = TypeVar("T")
NEIGHBOURS = 128
"""Ids that share a partition. Orders here are so far apart that each two that follow each other do not."""


class Due(NamedTuple):
    """When an order is to be announced again, and how often it was."""

    time: datetime
    announcements: int


class OrderStore:
    """`order_svc.store`, as far as orders are taken, cancelled, announced and ended by it."""

    CHANNEL = order_svc.store.CHANNEL

    def insert(self, tx: Transaction, requests: Sequence[NewOrder], announce_after: float) -> dict[int, Order]:
        orders, requested, due = (of(tx).write(table) for table in ("orders", "requests", "due"))
        sequences, now = of(tx).database.sequences, of(tx).now
        new: dict[int, Order] = {}
        for place, request in enumerate(requests):
            order_id = sequences["orders"] = sequences.get("orders", 1 - NEIGHBOURS) + NEIGHBOURS
            if requested.setdefault((request.user_id, request.request_id), order_id) == order_id:
                pending = (OrderStatus.PENDING, None, now, now)
                new[place] = orders[order_id] = Order(
                    order_id, *request.content(), *pending, request_id=request.request_id
                )
                due[order_id] = Due(now + timedelta(seconds=announce_after), 0)
        return new

    def requested(self, tx: Transaction, requests: Sequence[NewOrder]) -> dict[tuple[int, str], Order]:
        known, keys = of(tx).read("requests"), [(one.user_id, str(one.request_id)) for one in requests]
        return {key: of(tx).read("orders")[known[key]] for key in keys if key in known}

    def get(self, tx: Transaction, ids: Sequence[int]) -> dict[int, Order]:
        return _those(of(tx).read("orders"), ids)

    def lock(self, tx: Transaction, ids: Sequence[int]) -> dict[int, Order]:
        of(tx).lock("orders", ids)
        return self.get(tx, ids)

    def request_cancel(self, tx: Transaction, order_id: int, *, actor: str, note: str) -> Order:
        orders, now = of(tx).write("orders"), of(tx).now
        order: Order = replace(orders[order_id], cancel_request=CancelRequest(actor, note, now))
        orders[order_id] = order
        return order

    def claim_unannounced(self, tx: Transaction, claim: Claim) -> list[Order]:
        orders: Mapping[int, Order] = of(tx).read("orders")
        due = [one for one, when in of(tx).read("due").items() if when.time <= of(tx).now and not orders[one].final]
        claim.ids = list(islice((one for one in due if of(tx).claim("orders", one)), claim.limit))
        return [orders[one] for one in claim.ids]

    def announced(self, tx: Transaction, ids: Sequence[int], *, after: float, longest: float) -> None:
        due, now = of(tx).write("due"), of(tx).now
        for one in ids:
            told = due[one].announcements + 1
            due[one] = Due(now + timedelta(seconds=min(longest, after * 2.0**told)), told)

    def end(self, tx: Transaction, endings: Sequence[Ending]) -> Deferred[set[int]]:
        orders = of(tx).write("orders")
        ended: set[int] = set()
        for ending in endings:
            order: Order | None = orders.get(ending.order_id)
            if order is not None and not order.final:
                orders[ending.order_id] = replace(order, status=ending.status, cancel_reason=ending.reason)
                ended.add(ending.order_id)
        return lambda: ended


class StockStore:
    """`product_svc.store`, as far as the handlers use it."""

    def lock(
        self, tx: Transaction, product_ids: Iterable[int], order_ids: Iterable[int]
    ) -> tuple[dict[int, Shelf], dict[int, Movement]]:
        return _those(of(tx).read("products"), set(product_ids)), _those(of(tx).read("movements"), list(order_ids))

    def take(self, tx: Transaction, wanted: Sequence[Wanted]) -> Deferred[set[int]]:
        new = [one for one in wanted if one.order_id not in of(tx).read("movements")]
        shelves = _those(of(tx).read("products"), {one.product_id for one in wanted})
        movements = allocate(new, shelves)
        refused = {movement.product_id for movement in movements if movement.refusal}
        taken = [movement for movement in movements if movement.product_id not in refused]
        self.add_movements(tx, taken)
        return lambda: {movement.order_id for movement in taken}

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

    def add(
        self, tx: Transaction, wanted: Sequence[tuple[WantedDelivery, str | None]]
    ) -> Deferred[dict[int, Delivery]]:
        deliveries, now = of(tx).write("deliveries"), of(tx).now
        added: dict[int, Delivery] = {}
        for one, refusal in wanted:
            if one.order_id in deliveries:
                continue
            status = DeliveryStatus.REFUSED if refusal else DeliveryStatus.SCHEDULED
            delivery_id = None if refusal else len(deliveries) + 1
            row = Delivery(one.order_id, delivery_id, one.user_id, one.address, status, refusal, now, now)
            added[one.order_id] = deliveries[one.order_id] = row
        return lambda: added

    def cancel(self, tx: Transaction, order_ids: Sequence[int]) -> None:
        deliveries = of(tx).write("deliveries")
        for order_id in order_ids:
            delivery: Delivery = deliveries[order_id]
            if delivery.status is DeliveryStatus.SCHEDULED:
                deliveries[order_id] = replace(delivery, status=DeliveryStatus.CANCELLED)


def _those(rows: Mapping[int, T], ids: Collection[int]) -> dict[int, T]:
    return {one: rows[one] for one in sorted(ids) if one in rows}


@contextmanager
def in_memory() -> Iterator[None]:
    """Have the services work on stores in memory, and keep their logs quiet."""
    orders = OrderStore()
    with ExitStack() as patches:
        for room in (order_svc.announcer, order_svc.cancelling, order_svc.handlers, order_svc.intake):
            patches.enter_context(patch.object(room, "store", orders))
        patches.enter_context(patch.object(product_svc.handlers, "store", StockStore()))
        patches.enter_context(patch.object(delivery_svc.handlers, "store", DeliveryStore()))
        patches.enter_context(quiet(*NAMES))
        yield
