"""Kafka handlers: the saga's commands that end an order."""

from collections.abc import Mapping, Sequence

from ordersaga.messages import CancelOrderCommand, CompleteOrderCommand
from prometheus_client import Counter

from order_svc import store
from order_svc.orders import Ending, Order, OrderStatus
from sagakit.consumer.dispatch import handles
from sagakit.errors import NotHeardOf
from sagakit.postgres.pipeline import Pipeline
from sagakit.records import Record
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero, tally

log = logger("orders")

REASONS = ("UNKNOWN_ORDER",)
"""Why messages are parked here, beside the kit's reasons. docs/architecture/dead-letters.md explains each."""

_ENDED = Counter("ordersaga_orders_ended_total", "Commands that ended an order, repeats left out.", ["status"])
begin_at_zero(_ENDED, (OrderStatus.COMPLETED, OrderStatus.CANCELLED))
_CONTRADICTIONS = Counter(
    "ordersaga_order_contradictions_total", "Commands to end an order otherwise than it has ended. Never applied."
)


@handles(CompleteOrderCommand)
def complete_orders(commands: Sequence[CompleteOrderCommand], pipeline: Pipeline) -> list[Record]:
    """Complete each order that is PENDING; a repeat changes nothing."""
    _end(pipeline, [Ending(command.order_id, OrderStatus.COMPLETED) for command in commands])
    return []


@handles(CancelOrderCommand)
def cancel_orders(commands: Sequence[CancelOrderCommand], pipeline: Pipeline) -> list[Record]:
    """Cancel each order that is PENDING, with the reason; a repeat changes nothing."""
    _end(pipeline, [Ending(command.order_id, OrderStatus.CANCELLED, command.reason) for command in commands])
    return []


def _end(pipeline: Pipeline, endings: Sequence[Ending]) -> None:
    ends = store.end(pipeline, endings)
    pipeline.commit()  # which orders have ended comes with it; to read that before would cost a round trip more
    ended = ends()
    tally(_ENDED, (ending.status for ending in endings if ending.order_id in ended))
    others = [ending for ending in endings if ending.order_id not in ended]
    if others:
        _must_have_ended(store.get(pipeline, [ending.order_id for ending in others]), others)


def _must_have_ended(orders: Mapping[int, Order], endings: Sequence[Ending]) -> None:
    """Count and log orders that have ended otherwise than their command says; log those of another reason.

    Raises:
        NotHeardOf: an order does not exist.
    """
    for ending in endings:
        order = orders.get(ending.order_id)
        if order is None:
            raise NotHeardOf("UNKNOWN_ORDER", f"there is no order {ending.order_id}")
        if ending.contradicts(order):
            _CONTRADICTIONS.inc()
            log.error("contradiction", order_id=order.order_id, status=order.status, command=ending.status)
        elif order.cancel_reason != ending.reason:
            reasons = {"reason": order.cancel_reason, "command": ending.reason}
            log.warning("cancelled for another reason before", order_id=order.order_id, **reasons)
