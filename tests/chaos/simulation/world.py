"""The whole system in memory: four services, Kafka between them, and a clock that only the simulation moves."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast
from uuid import UUID

from ordersaga.messages import (
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    OrderCreated,
    ProductDecreased,
)

from order_svc.orders import NewOrder, Order
from product_svc.stock import Shelf
from sagakit.kafka.consumed import Partition
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Instance
from sagakit.testing.world.broker import Headers, Stored
from sagakit.testing.world.database import of
from sagakit.testing.world.faults import Fault
from sagakit.testing.world.green import CLOCK
from sagakit.testing.world.world import World as KitWorld
from tests.chaos.simulation import processes, services
from tests.chaos.simulation.processes import OrderProcess, codec

if TYPE_CHECKING:
    from sagakit.testing.world.processes import OrchestratorProcess

TOPICS = [
    record.TOPIC
    for record in (
        OrderCreated,
        DecreaseProductCommand,
        ProductDecreased,
        CreateDeliveryCommand,
        DeliveryCreated,
        CompleteOrderCommand,
    )
]
STRANGE = "strange"
"""The header of what strangers wrote."""
PARTITIONS = 2
MOST_PARTITIONS = 4
PRODUCT = 1
PRICE = 500
STOCK = 3


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


class World(KitWorld):
    """Everything there is. Its methods are what can happen; none of them looks at the time or draws lots."""

    def __init__(self) -> None:
        super().__init__(dict.fromkeys(TOPICS, PARTITIONS), codec())
        self.orders = services.order_service(self)
        self.products = services.product_service(self)
        self.deliveries = services.delivery_service(self)
        self.orchestrator = services.orchestrator(self)
        self.requests: list[tuple[NewOrder, Kind]] = []
        """What customers have asked for, each under a request id of its own."""
        self.answers: list[tuple[str | None, int]] = []
        """Which order each answer of CreateOrder told of, by request id."""
        self.restocked = 0
        self.products.database.tables["products"] = {PRODUCT: Shelf(PRICE, STOCK)}

    @property
    def kinds(self) -> dict[int, Kind]:
        """Of the orders that are there."""
        asked = {(request.user_id, request.request_id): kind for request, kind in self.requests}
        return {order_id: asked[key] for key, order_id in self.orders.database.rows("requests").items()}

    def all_orders(self) -> list[Order]:
        return list(self.orders.database.rows("orders").values())

    def sagas(self) -> dict[int, Instance]:
        return dict(self.orchestrator.database.rows("sagas"))

    def stock(self) -> int:
        shelf: Shelf = self.products.database.rows("products")[PRODUCT]
        return shelf.stock

    def place(self, kinds: Sequence[Kind], fault: Fault = Fault.NONE) -> None:
        """CreateOrder, called at once by a customer for each of ``kinds``."""
        new = [
            (NewOrder(1, *WISHES[kind], request_id=str(UUID(int=len(self.requests) + at))), kind)
            for at, kind in enumerate(kinds)
        ]
        self.requests += new
        self._call([request for request, _ in new], fault)

    def ask_again(self, which: int, fault: Fault = Fault.NONE) -> None:
        """CreateOrder once more with a request id that was used before, as after an answer that was lost."""
        self._call([self.requests[which % len(self.requests)][0]], fault)

    def _call(self, requests: Sequence[NewOrder], fault: Fault) -> None:
        process = self._order_process

        async def ask(request: NewOrder) -> None:
            order = await process.intake.take(request)
            self.answers.append((request.request_id, order.order_id))

        self.orders.do(process, lambda: process.call(*[partial(ask, request) for request in requests]), fault)

    def cancel_order(self, order: int, fault: Fault = Fault.NONE) -> None:
        """CancelOrder; it may be too late."""
        target = self._pick(order)
        if target is None:
            return
        process = self._order_process

        async def ask() -> None:
            await process.cancelling.request(target.order_id, actor="customer", note="changed my mind", trace=None)

        self.orders.do(process, lambda: process.call(ask), fault)

    def restock(self, pieces: int) -> None:
        """RestockProduct."""

        def add(tx: Transaction) -> None:
            shelves = of(tx).write("products")
            shelves[PRODUCT] = replace(shelves[PRODUCT], stock=shelves[PRODUCT].stock + pieces)

        process = self.products.process
        self.products.do(process, lambda: process.database.transact(add))
        self.restocked += pieces

    def relay(self, fault: Fault = Fault.NONE) -> None:
        """Publish what the fast path left in the outbox."""
        self.pass_time(processes.RELAY_AFTER + 1)
        process = self._order_process
        self.orders.do(process, process.relay.relay_once, fault)

    def announce(self, fault: Fault = Fault.NONE) -> None:
        """Say again what was said of every order that is PENDING for too long."""
        process = self._order_process
        self.orders.do(process, process.announcer.announce_once, fault)

    def fire_timers(self, fault: Fault = Fault.NONE, *, hasty: bool = False) -> None:
        """Let the sagas whose deadline has passed go on; ``hasty`` without waiting for replies that lie unread."""
        process = cast("OrchestratorProcess", self.orchestrator.process)
        process.silence.hasty = hasty
        self.orchestrator.do(process, process.fire_timers, fault)

    def retry_saga(self, order: int) -> None:
        """RetrySaga."""
        self._operate(order, "retry")

    def cancel_saga(self, order: int) -> None:
        """CancelSaga; it may be too late."""
        self._operate(order, "cancel")

    def _operate(self, order: int, action: str) -> None:
        target = self._pick(order)
        if target is None:
            return
        process = cast("OrchestratorProcess", self.orchestrator.process)

        def act(tx: Transaction) -> None:
            if not process.silence.lag.is_missing_now(tx):
                do: Callable[..., object] = getattr(process.operators, action)
                do(tx, Filter(ids=[target.order_id]), "operator: says so", limit=1)

        self.orchestrator.do(process, lambda: process.database.transact(act))

    def rubbish(self, which: int) -> None:
        """Have a stranger write what is no message of ours."""
        self._strange((TOPICS[which % len(TOPICS)], 0), b"rubbish", [])

    def contradict(self, which: int) -> None:
        """Have a stranger ask again for what an order has got, with another quantity."""
        had = self.products.database.rows("movements")
        asked = [
            (place, stored, replace(record, quantity=record.quantity + 1))
            for place, stored, record in self.messages()
            if isinstance(record, DecreaseProductCommand) and record.key in had
        ]
        if asked:
            place, stored, other = asked[which % len(asked)]
            self._strange(place, processes.encoded(other), stored.headers, stored.key)

    def _strange(self, place: Partition, value: bytes, headers: Headers, key: bytes | None = None) -> None:
        self.broker.append(place, key, value, [*headers, (STRANGE, b"")])

    def repeat(self, which: int) -> None:
        """Have some message come once more, at the end of its partition, as of a producer that is older."""
        messages = list(self.messages())
        if messages:
            place, stored, _ = messages[which % len(messages)]
            self.broker.append(place, stored.key, stored.value, stored.headers)

    def add_partition(self, topic: str) -> None:
        """Give a topic one partition more; producers hear of it by and by, and some keys have another one then."""
        if len(self.broker.topics[topic]) < MOST_PARTITIONS:
            self.broker.add_partition(topic)

    def messages(self) -> Iterator[tuple[Partition, Stored, Record]]:
        """Return all that the six topics hold, but for what strangers wrote."""
        for place, stored in self.broker.messages(TOPICS):
            if not is_strange(stored):
                yield place, stored, processes.decoded(place[0], stored)

    def deadlines(self) -> Iterator[datetime]:
        return (saga.deadline for saga in self.sagas().values() if saga.deadline)

    def wait_for_deadlines(self) -> None:
        """Let the time pass in which every saga's deadline passes, and nobody do anything."""
        until = max([self.now.time, *self.deadlines()])
        CLOCK.now += (until - self.now.time).total_seconds()
        self.now.time = until

    @property
    def _order_process(self) -> OrderProcess:
        return cast("OrderProcess", self.orders.process)

    def _pick(self, order: int) -> Order | None:
        orders = self.all_orders()
        return orders[order % len(orders)] if orders else None


def is_strange(stored: Stored) -> bool:
    """Say whether a stranger wrote it, or it is a letter about that."""
    return STRANGE in dict(stored.headers)
