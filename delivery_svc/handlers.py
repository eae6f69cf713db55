"""Kafka in: the saga schedules deliveries and cancels them."""

from collections.abc import Sequence

from ordersaga.messages import CancelDeliveryCommand, CreateDeliveryCommand, DeliveryCancelled, DeliveryCreated
from prometheus_client import Counter
from sqlalchemy import Connection

from chassis.dispatch import handles
from chassis.errors import Poison
from delivery_svc import store
from delivery_svc.deliveries import UNDONE, Delivery, DeliveryStatus, Wanted, refusal

_ANSWERED = Counter(
    "ordersaga_deliveries_answered_total",
    "Commands to create a delivery, repeats included, by their answer; UNDONE came after its own undo.",
    ["answer"],
)


@handles(CreateDeliveryCommand)
def create_delivery(commands: Sequence[CreateDeliveryCommand], tx: Connection) -> list[DeliveryCreated]:
    """Schedule each order's delivery once, and answer every command, new or repeated, with what is stored."""
    wanted = [Wanted(c.order_id, c.user_id, c.address) for c in commands]
    known = _known(tx, wanted)
    known |= store.add(tx, [(one, refusal(one)) for one in wanted if one.order_id not in known])
    for one in wanted:
        _ANSWERED.labels(known[one.order_id].answer or "scheduled").inc()
    return [_answer(known[one.order_id]) for one in wanted]


@handles(CancelDeliveryCommand)
def cancel_delivery(commands: Sequence[CancelDeliveryCommand], tx: Connection) -> list[DeliveryCancelled]:
    """Cancel each order's delivery, once; an order never heard of gets a tombstone, so that it stays undone."""
    wanted = [Wanted(c.order_id, c.user_id, c.address) for c in commands]
    known = _known(tx, wanted)
    store.add(tx, [(one, UNDONE) for one in wanted if one.order_id not in known])
    store.cancel(tx, [d.order_id for d in known.values() if d.status is DeliveryStatus.SCHEDULED])
    return [DeliveryCancelled(order_id=one.order_id) for one in wanted]


def _known(tx: Connection, wanted: Sequence[Wanted]) -> dict[int, Delivery]:
    known = store.lock(tx, (one.order_id for one in wanted))
    for one in wanted:
        delivery = known.get(one.order_id)
        if delivery is not None and not delivery.is_for(one):
            raise Poison("REUSED_ID", f"order {one.order_id} had another delivery before")
    return known


def _answer(delivery: Delivery) -> DeliveryCreated:
    success = delivery.answer is None
    return DeliveryCreated(
        order_id=delivery.order_id,
        success=success,
        delivery_id=delivery.delivery_id if success else None,
        reason=delivery.answer,
    )
