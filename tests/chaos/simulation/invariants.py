"""What must hold, whatever has happened. Numbered as the project numbers its invariants everywhere."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ordersaga.messages import (
    CancelDeliveryCommand,
    CancelOrderCommand,
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    DeliveryCreated,
    IncreaseProductCommand,
    OrderCreated,
    ProductDecreased,
)

from delivery_svc.deliveries import DeliveryStatus
from order_svc.orders import OrderStatus
from sagakit.dead_letters.letter import PREFIX
from sagakit.messages import CAUSATION_ID, MESSAGE_ID
from sagakit.offsets.stored_offsets import MARK
from sagakit.records import Record
from sagakit.testing.world.broker import Stored
from sagakit.testing.world.statements import Waiting
from tests.chaos.simulation.history import why_illegal
from tests.chaos.simulation.processes import decoded
from tests.chaos.simulation.world import STOCK, TOPICS, WISHES, Kind, World, is_strange

REASONS = {
    Kind.GOOD: "OUT_OF_STOCK",
    Kind.BIG: "OUT_OF_STOCK",
    Kind.TOO_BIG: "OUT_OF_STOCK",
    Kind.WRONG_PRICE: "PRICE_CHANGED",
    Kind.UNKNOWN_PRODUCT: "UNKNOWN_PRODUCT",
    Kind.BOX: "UNDELIVERABLE_ADDRESS",
}
"""What participants refuse each kind with. Any may also find the stock sold, be cancelled, or run out of time."""
_ANY = {"OUT_OF_STOCK", "CANCEL_REQUESTED", "TIMED_OUT", "UNDONE"}
_NOT_HEARD_OF = {b"UNKNOWN_SAGA", b"UNKNOWN_ORDER"}
_ANSWERED = {DecreaseProductCommand.TOPIC, CreateDeliveryCommand.TOPIC}
"""The topics of which every message is answered by one."""


class Violation(NamedTuple):
    """An invariant that does not hold."""

    invariant: int
    text: str


@dataclass
class Watch:
    """What holds at any moment, as far as that can only be told from one moment to the next."""

    _seen: int = 0
    _said: set[bytes | None] = field(default_factory=set)
    """The id of each message that was ever in Kafka."""
    _outbox: Mapping[int, Waiting] = field(default_factory=dict)

    def look(self, world: World) -> Iterator[Violation]:
        """Return what does not hold now; to be called after every step."""
        yield from at_every_step(world)
        news, self._seen = world.broker.news[self._seen :], len(world.broker.news)
        self._said |= {dict(stored.headers).get(MESSAGE_ID) for _, stored in news}
        for (topic, _), stored in news:
            if topic in TOPICS and not is_strange(stored):
                yield from _has_cause(world, decoded(topic, stored))
        outbox = world.orders.database.rows("outbox")
        for number in self._outbox.keys() - outbox.keys():
            if dict(json.loads(self._outbox[number].headers))[MESSAGE_ID].encode() not in self._said:
                yield Violation(5, f"row {number} is gone from the outbox, and was never in Kafka")
        self._outbox = outbox


def at_every_step(world: World) -> Iterator[Violation]:
    """What holds at any moment."""
    if world.stock() < 0:
        yield Violation(2, f"stock is {world.stock()}")
    again = {name: (place, offset) for name, place, offset in world.broker.read_again}
    world.broker.read_again.clear()
    for service in world.services:
        if any(process.consumer.state == "halted" for process in service.processes):
            yield Violation(9, f"{service.name} takes its code to be bad")
        if service.went_back:
            continue
        if service.name in again:
            yield Violation(12, f"{service.name} had committed {again[service.name]}, and reads it again")
        for place, one in world.broker.group(service.name).committed.items():
            if one.metadata == MARK and one.offset > service.stored.get(place, 0):
                yield Violation(7, f"{service.name} has committed {one.offset} of {place}, and has not stored that")


def _has_cause(world: World, record: Record) -> Iterator[Violation]:
    """What is published tells of what is committed."""
    tables = {
        OrderCreated.TOPIC: (world.orders, "orders"),
        ProductDecreased.TOPIC: (world.products, "movements"),
        DeliveryCreated.TOPIC: (world.deliveries, "deliveries"),
    }
    service, table = tables.get(record.TOPIC, (world.orchestrator, "sagas"))
    if not service.went_back and record.key not in service.database.rows(table):
        yield Violation(7, f"{service.name} has published {record}, and nothing of it is stored")


def before_healing(world: World) -> Iterator[Violation]:
    """What holds in the midst of faults: what is committed has its effect, and its answer."""
    answered = {dict(stored.headers).get(CAUSATION_ID) for _, stored in world.broker.news}
    for service in world.services:
        # What a database that went back has passed over comes again, once it has been told what that is about.
        if service.went_back:
            continue
        committed = world.broker.group(service.name).committed
        for (topic, number), stored, record in world.messages():
            place = topic, number
            # Of a topic that was made anew the database may still have the old one's offset, which nobody goes by.
            reached = min(service.stored.get(place, 0), committed[place].offset if place in committed else 0)
            if topic not in service.topics or stored.offset >= reached:
                continue
            if not has_effect(world, record):
                yield Violation(7, f"{service.name} committed past {record}, which has no effect")
            if topic in _ANSWERED and dict(stored.headers)[MESSAGE_ID] not in answered:
                yield Violation(7, f"{service.name} committed past {record}, which has no answer")


def after_healing(world: World) -> Iterator[Violation]:
    """What holds when all faults are healed and nothing moves any more."""
    yield from _orders(world)
    yield from _answers(world)
    yield from _stock(world)
    yield from _histories(world)
    yield from _letters(world)
    for row in world.orders.database.rows("outbox").values():
        yield Violation(5, f"a row of the outbox was never published: {row}")
    for _, __, record in world.messages():
        if not has_effect(world, record):
            yield Violation(8, f"{record} has no effect")


def _letters(world: World) -> Iterator[Violation]:
    for service in world.services:
        found = world.broker.log((service.letters, 0))
        for letter in found:
            # Where a database went back and nothing could tell yet, as no offset was stored with it, a letter is left.
            left = service.went_back and dict(letter.headers).get(f"{PREFIX}reason") in _NOT_HEARD_OF
            if not (is_strange(letter) or left):
                yield Violation(9, f"{service.name} parked {letter}, which is no poison")
        parked = {_place(letter) for letter in found}
        for (topic, number), stored in world.broker.messages(service.topics):
            if is_strange(stored) and (topic, number, stored.offset) not in parked:
                yield Violation(9, f"{service.name} has not parked {stored} of {topic}")


def _place(letter: Stored) -> tuple[str, int, int]:
    headers = {name: (value or b"").decode() for name, value in letter.headers}
    return headers[f"{PREFIX}topic"], int(headers[f"{PREFIX}partition"]), int(headers[f"{PREFIX}offset"])


def _answers(world: World) -> Iterator[Violation]:
    stored = dict(world.orders.database.rows("requests"))
    for request_id, order_id in world.answers:
        if stored.get((1, request_id)) != order_id:
            yield Violation(4, f"{request_id} was answered with order {order_id}, and is {stored.get((1, request_id))}")


def _orders(world: World) -> Iterator[Violation]:
    orders = {order.order_id: order for order in world.all_orders()}
    for order_id, kind in world.kinds.items():
        order, saga = orders.get(order_id), world.sagas().get(order_id)
        if order is None or saga is None or not (order.final and saga.ended):
            yield Violation(1, f"order {order_id} ({kind}) has not ended: {order}, {saga}")
            continue
        completed = order.status is OrderStatus.COMPLETED
        if completed and kind not in {Kind.GOOD, Kind.BIG}:
            yield Violation(3, f"order {order_id} ({kind}) is COMPLETED")
        if not completed and order.cancel_reason not in {REASONS[kind], *_ANY}:
            yield Violation(1, f"order {order_id} ({kind}) is CANCELLED because of {order.cancel_reason}")
        if (holds_stock(world, order_id), is_delivered(world, order_id)) != (completed, completed):
            held = f"holds stock: {holds_stock(world, order_id)}, delivery: {is_delivered(world, order_id)}"
            yield Violation(3, f"order {order_id} is {order.status} with {order.cancel_reason}; {held}")


def _stock(world: World) -> Iterator[Violation]:
    completed = [order for order in world.all_orders() if order.status is OrderStatus.COMPLETED]
    sold = sum(WISHES[world.kinds[order.order_id]].quantity for order in completed)
    if world.stock() != STOCK + world.restocked - sold:
        yield Violation(2, f"stock is {world.stock()}, not {STOCK} + {world.restocked} restocked - {sold} sold")


def _histories(world: World) -> Iterator[Violation]:
    for saga_id, saga in world.sagas().items():
        events = [event for (one, _), event in world.orchestrator.database.rows("events").items() if one == saga_id]
        why = why_illegal(saga, events)
        if why:
            yield Violation(6, f"saga {saga_id}: {why}: {events}")


def has_effect(world: World, record: Record) -> bool:
    """Say whether the service that reads ``record`` shows in its tables that it has handled it."""
    key = record.key
    match record:
        case DecreaseProductCommand():
            return key in world.products.database.rows("movements")
        case IncreaseProductCommand():
            return key in world.products.database.rows("movements") and not holds_stock(world, key)
        case CreateDeliveryCommand():
            return key in world.deliveries.database.rows("deliveries")
        case CancelDeliveryCommand():
            return key in world.deliveries.database.rows("deliveries") and not is_delivered(world, key)
        case CompleteOrderCommand() | CancelOrderCommand():
            ending = OrderStatus.COMPLETED if isinstance(record, CompleteOrderCommand) else OrderStatus.CANCELLED
            return world.orders.database.rows("orders")[key].status is ending
        case _:
            return key in world.sagas()


def holds_stock(world: World, order_id: int) -> bool:
    movement = world.products.database.rows("movements").get(order_id)
    return movement is not None and bool(movement.holds_stock)


def is_delivered(world: World, order_id: int) -> bool:
    delivery = world.deliveries.database.rows("deliveries").get(order_id)
    return delivery is not None and delivery.status is DeliveryStatus.SCHEDULED
