"""What must hold, whatever has happened. Numbered as the project numbers its invariants everywhere."""

from collections.abc import Iterator
from typing import NamedTuple

from ordersaga.messages import (
    CancelDeliveryCommand,
    CancelOrderCommand,
    CompleteOrderCommand,
    CreateDeliveryCommand,
    DecreaseProductCommand,
    IncreaseProductCommand,
)

from chassis.messages import Record
from delivery_svc.deliveries import DeliveryStatus
from order_svc.orders import OrderStatus
from tests.chaos.simulation.history import why_illegal
from tests.chaos.simulation.world import STOCK, WISHES, Kind, World

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


class Violation(NamedTuple):
    """An invariant that does not hold."""

    invariant: int
    text: str


def at_every_step(world: World) -> Iterator[Violation]:
    """What holds at any moment."""
    if world.stock() < 0:
        yield Violation(2, f"stock is {world.stock()}")


def before_healing(world: World) -> Iterator[Violation]:
    """What holds in the midst of faults: what is committed has its effect."""
    for service in world.services:
        for (topic, partition), messages in world.log.places.items():
            # While a database that went back is catching up, what it has counts, not what the group has handled once.
            reached = min(
                world.log.committed.get((service.name, (topic, partition)), 0),
                service.stored.get((topic, partition), 0),
            )
            for message in messages[:reached]:
                if topic not in service.topics or message in service.passed_over:
                    continue
                if not has_effect(world, message.record):
                    yield Violation(7, f"{service.name} committed past {message}, which has no effect")


def after_healing(world: World) -> Iterator[Violation]:
    """What holds when all faults are healed and nothing moves any more."""
    yield from _orders(world)
    yield from _stock(world)
    yield from _histories(world)
    for record_id, record in world.orders.database.rows("outbox").items():
        yield Violation(5, f"outbox row {record_id} was never published: {record}")
    for service in world.services:
        for message in service.parked:
            yield Violation(8, f"{service.name} parked {message}, which is no poison")
    for message in world.log.messages():
        if not has_effect(world, message.record):
            yield Violation(8, f"{message} has no effect")


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
