"""The whole system in memory: four services, the log between them, and a clock that only the simulation moves."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from chassis.aside import Claim
from chassis.messages import Outgoing, Record
from chassis.pipeline import Transaction
from orchestrator_svc.order_saga import ORDER_SAGA
from order_svc.orders import CancelRequest, Order, OrderStatus, announcements, order_cancel_requested, order_created
from product_svc.stock import Shelf
from saga.find import Filter
from saga.instance import Instance, pending_command
from saga.operators import Operators
from saga.overdue import overdue
from tests.chaos.simulation import services
from tests.chaos.simulation.database import of
from tests.chaos.simulation.log import Log
from tests.chaos.simulation.services import SAGAS, Fault

PRODUCT = 1
PRICE = 500
STOCK = 3
ANNOUNCE_AFTER = timedelta(seconds=120)
_ROUNDS_TO_HEAL = 5
_LIMIT = 200


class Wish(NamedTuple):
    """What a customer orders."""

    product_id: int
    quantity: int
    price: int
    address: str


class Kind(StrEnum):
    """The orders there are."""

    GOOD = "good"
    BIG = "good, and takes two pieces of the three"
    TOO_BIG = "more than there is"
    WRONG_PRICE = "at another price"
    UNKNOWN_PRODUCT = "of an unknown product"
    BOX = "to a post-office box"

    def __repr__(self) -> str:
        """Return what a failing run can be repeated with."""
        return f"Kind.{self.name}"


WISHES = {
    Kind.GOOD: Wish(PRODUCT, 1, PRICE, "Main Street 1"),
    Kind.BIG: Wish(PRODUCT, 2, PRICE, "Main Street 1"),
    Kind.TOO_BIG: Wish(PRODUCT, 1000, PRICE, "Main Street 1"),
    Kind.WRONG_PRICE: Wish(PRODUCT, 1, PRICE - 1, "Main Street 1"),
    Kind.UNKNOWN_PRODUCT: Wish(PRODUCT + 1, 1, PRICE, "Main Street 1"),
    Kind.BOX: Wish(PRODUCT, 1, PRICE, "P.O. Box 1"),
}


class World:
    """Everything there is. Its methods are what can happen; none of them looks at the time or draws lots."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.log = Log()
        self.orders = services.order_service(self.log)
        self.products = services.product_service(self.log)
        self.deliveries = services.delivery_service(self.log)
        self.orchestrator = services.orchestrator(self.log)
        self.services = [self.orders, self.products, self.deliveries, self.orchestrator]
        self.kinds: dict[int, Kind] = {}
        """Of the orders that were acknowledged."""
        self.restocked = 0
        self.products.database.tables["products"] = {PRODUCT: Shelf(PRICE, STOCK)}
        self._operators = Operators(ORDER_SAGA, SAGAS)

    def all_orders(self) -> list[Order]:
        return list(self.orders.database.rows("orders").values())

    def sagas(self) -> dict[int, Instance]:
        return dict(self.orchestrator.database.rows("sagas"))

    def stock(self) -> int:
        shelf: Shelf = self.products.database.rows("products")[PRODUCT]
        return shelf.stock

    def place(self, kind: Kind, fault: Fault = Fault.NONE) -> None:
        """CreateOrder. Where the process dies before the commit, there is no order, and nobody was told of one."""
        wish, order_id = WISHES[kind], len(self.kinds) + 1

        def store(tx: Transaction) -> list[Outgoing]:
            order = Order(order_id, 1, *wish, OrderStatus.PENDING, None, self.now, self.now)
            of(tx).write("orders")[order_id] = order
            return self._to_outbox(tx, order_created(order))

        self._originate(store, fault)
        if order_id in self.orders.database.rows("orders"):
            self.kinds[order_id] = kind

    def cancel_order(self, order: int, fault: Fault = Fault.NONE) -> None:
        """CancelOrder, of an order that is PENDING; a repeat says nothing more."""
        target = self._pick(order)
        if target is None or target.final or target.cancel_request:
            return
        cancelled = replace(target, cancel_request=CancelRequest("customer", "changed my mind", self.now))

        def store(tx: Transaction) -> list[Outgoing]:
            of(tx).write("orders")[target.order_id] = cancelled
            return self._to_outbox(tx, order_cancel_requested(cancelled))

        self._originate(store, fault)

    def restock(self, pieces: int) -> None:
        """RestockProduct."""

        def store(tx: Transaction) -> list[Outgoing]:
            shelves = of(tx).write("products")
            shelves[PRODUCT] = replace(shelves[PRODUCT], stock=shelves[PRODUCT].stock + pieces)
            return []

        self.products.transact(store, self.now, Fault.NONE)
        self.restocked += pieces

    def relay(self, fault: Fault = Fault.NONE) -> None:
        """Publish what the fast path left in the outbox."""
        self._originate(lambda tx: [Outgoing(record) for record in of(tx).read("outbox").values()], fault)

    def announce(self, fault: Fault = Fault.NONE) -> None:
        """Say again what was said of every order that is PENDING for too long."""

        def say(tx: Transaction) -> list[Outgoing]:
            orders: list[Order] = list(of(tx).read("orders").values())
            due = [order for order in orders if not order.final and order.create_time + ANNOUNCE_AFTER <= self.now]
            return [Outgoing(record) for order in due for record in announcements(order)]

        self.orders.transact(say, self.now, fault)

    def fire_timers(self, fault: Fault = Fault.NONE, *, hasty: bool = False) -> None:
        """Let the sagas whose deadline has passed go on; ``hasty`` without waiting for replies that lie unread."""
        if self.orchestrator.is_missing:
            return
        one = self.orchestrator
        handled = not self.log.fetch(one.name, one.topics, one.stored, first=0, limit=1)

        def fire(tx: Transaction) -> list[Outgoing]:
            loaded = SAGAS.claim_due(tx, Claim(_LIMIT, ()), all_due=hasty or handled)
            transitions = [overdue(ORDER_SAGA, instance, self.now) for instance in loaded.values()]
            changed = [transition.saga for transition in transitions]
            SAGAS.save(tx, changed, loaded, [one.event for one in transitions if one.event])
            return [Outgoing(pending_command(ORDER_SAGA, instance)) for instance in changed]

        self.orchestrator.transact(fire, self.now, fault)

    def retry_saga(self, order: int) -> None:
        """RetrySaga."""
        self._operate(order, self._operators.retry)

    def cancel_saga(self, order: int) -> None:
        """CancelSaga; it may be too late."""
        self._operate(order, self._operators.cancel)

    def _operate(self, order: int, action: Callable[..., object]) -> None:
        target = self._pick(order)
        if target is not None and not self.orchestrator.is_missing:

            def act(tx: Transaction) -> list[Outgoing]:
                action(tx, Filter(ids=[target.order_id]), "operator: says so", limit=1)
                return []

            self.orchestrator.transact(act, self.now, Fault.NONE)

    def repeat(self, which: int) -> None:
        """Have some record come once more, at the end of its partition."""
        messages = list(self.log.messages())
        if messages:
            self.log.append(messages[which % len(messages)].record)

    def heal(self) -> bool:
        """Let everything run without a fault, and time go on, until nothing moves; return whether it came to that.

        Who was stopped wakes when the others have done all they can: the later, the more it may spoil.
        """
        for _ in range(_ROUNDS_TO_HEAL):
            self.relay()
            self._work_off()
            for service in self.services:
                service.wake()
            self._work_off()
            if self.is_quiet():
                return True
            self.now = max([self.now + ANNOUNCE_AFTER, *self.deadlines()])
            self.fire_timers()
            self.announce()
        return False

    def _work_off(self) -> None:
        while any(service.process(self.now) for service in self.services):
            pass

    def is_quiet(self) -> bool:
        """Say whether every order and every saga has ended."""
        sagas = self.sagas()
        return all(order.final and order.order_id in sagas for order in self.all_orders()) and not list(
            self.deadlines()
        )

    def deadlines(self) -> Iterator[datetime]:
        return (saga.deadline for saga in self.sagas().values() if saga.deadline)

    def _pick(self, order: int) -> Order | None:
        orders = self.all_orders()
        return orders[order % len(orders)] if orders else None

    def _originate(self, act: Callable[[Transaction], list[Outgoing]], fault: Fault) -> None:
        """Write and publish; what Kafka has acknowledged leaves the outbox, unless the process has died before."""
        published: list[Outgoing] = []

        def acting(tx: Transaction) -> list[Outgoing]:
            published.extend(act(tx))
            return published

        if self.orders.transact(acting, self.now, fault):
            said = [one.record for one in published]
            rows = self.orders.database.rows("outbox")
            self.orders.database.tables["outbox"] = {key: row for key, row in rows.items() if row not in said}

    @staticmethod
    def _to_outbox(tx: Transaction, record: Record) -> list[Outgoing]:
        rows = of(tx).write("outbox")
        rows[max(rows, default=0) + 1] = record
        return [Outgoing(record)]
