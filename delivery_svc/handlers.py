"""Kafka handlers: the saga's commands that schedule deliveries and cancel them."""

from collections.abc import Sequence

from ordersaga.messages import CancelDeliveryCommand, CreateDeliveryCommand, DeliveryCancelled, DeliveryCreated
from prometheus_client import Counter

from delivery_svc import store
from delivery_svc.deliveries import UNDELIVERABLE_ADDRESS, UNDONE, Delivery, DeliveryStatus, Wanted, refusal
from sagakit.consumer.dispatch import handles
from sagakit.errors import Repeated
from sagakit.postgres.pipeline import Pipeline
from sagakit.runtime.metrics import begin_at_zero, tally

_ANSWERED = Counter(
    "ordersaga_deliveries_answered_total",
    "Commands to create a delivery, repeats included, by their answer; UNDONE came after its own undo.",
    ["answer"],
)
begin_at_zero(_ANSWERED, ("scheduled", UNDELIVERABLE_ADDRESS, UNDONE))


@handles(CreateDeliveryCommand)
def create_delivery(commands: Sequence[CreateDeliveryCommand], pipeline: Pipeline) -> list[DeliveryCreated]:
    """Schedule each order's delivery once, and answer every command, new or repeated, with what is stored."""
    wanted = [Wanted(c.order_id, c.user_id, c.address) for c in commands]
    stored = _add(pipeline, [(one, refusal(one)) for one in wanted])
    tally(_ANSWERED, (stored[one.order_id].answer or "scheduled" for one in wanted))
    return [_answer(stored[one.order_id]) for one in wanted]


@handles(CancelDeliveryCommand)
def cancel_delivery(commands: Sequence[CancelDeliveryCommand], pipeline: Pipeline) -> list[DeliveryCancelled]:
    """Cancel each order's delivery, once; an unknown order gets a tombstone, which refuses a later create."""
    wanted = [Wanted(c.order_id, c.user_id, c.address) for c in commands]
    stored = _add(pipeline, [(one, UNDONE) for one in wanted])
    store.cancel(pipeline, [d.order_id for d in stored.values() if d.status is DeliveryStatus.SCHEDULED])
    return [DeliveryCancelled(order_id=one.order_id) for one in wanted]


def _add(pipeline: Pipeline, wanted: Sequence[tuple[Wanted, str | None]]) -> dict[int, Delivery]:
    """Store new deliveries, and commit; return the stored delivery of each of ``wanted``, by order id."""
    added = store.add(pipeline, wanted)
    pipeline.commit()  # what is new comes with it; to read that before would cost a round trip more
    new = added()
    others = [one for one, _ in wanted if one.order_id not in new]
    known = store.lock(pipeline, (one.order_id for one in others)) if others else {}
    for one in others:
        if not known[one.order_id].is_for(one):
            raise Repeated("REUSED_ID", f"order {one.order_id} had another delivery before")
    return new | known


def _answer(delivery: Delivery) -> DeliveryCreated:
    success = delivery.answer is None
    return DeliveryCreated(
        order_id=delivery.order_id,
        success=success,
        delivery_id=delivery.delivery_id if success else None,
        reason=delivery.answer,
    )
