"""Kafka in: the saga says how orders end."""

from collections.abc import Sequence

from ordersaga.messages import CancelOrderCommand, CompleteOrderCommand
from prometheus_client import Counter
from sqlalchemy import Connection

from chassis.changes import notify
from chassis.dispatch import handles
from chassis.errors import Poison
from chassis.logs import logger
from chassis.messages import Record
from order_svc import store
from order_svc.orders import Ending, OrderStatus

log = logger("orders")

_ENDED = Counter("ordersaga_orders_ended_total", "Commands that ended an order, repeats left out.", ["status"])
_CONTRADICTIONS = Counter(
    "ordersaga_order_contradictions_total", "Commands to end an order otherwise than it has ended. Never applied."
)


@handles(CompleteOrderCommand)
def complete_orders(commands: Sequence[CompleteOrderCommand], tx: Connection) -> list[Record]:
    """Complete each order that is PENDING; a repeat changes nothing."""
    _end(tx, [Ending(command.order_id, OrderStatus.COMPLETED) for command in commands])
    return []


@handles(CancelOrderCommand)
def cancel_orders(commands: Sequence[CancelOrderCommand], tx: Connection) -> list[Record]:
    """Cancel each order that is PENDING, with the reason; a repeat changes nothing."""
    _end(tx, [Ending(command.order_id, OrderStatus.CANCELLED, command.reason) for command in commands])
    return []


def _end(tx: Connection, endings: Sequence[Ending]) -> None:
    orders = store.lock(tx, [ending.order_id for ending in endings])
    due = []
    for ending in endings:
        order = orders.get(ending.order_id)
        if order is None:
            raise Poison("UNKNOWN_ORDER", f"there is no order {ending.order_id}")
        if not order.final:
            due.append(ending)
        elif ending.contradicts(order):
            _CONTRADICTIONS.inc()
            log.error("contradiction", order_id=order.order_id, status=order.status, told=ending.status)
    if due:
        store.end(tx, due)
        notify(tx, store.CHANNEL)
        for ending in due:
            _ENDED.labels(ending.status).inc()
