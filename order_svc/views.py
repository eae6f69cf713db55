"""Orders in the API's messages, and back."""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.order.v1 import order_pb2 as pb

from order_svc.orders import NewOrder, Order, OrderStatus
from sagakit.rpc.statuses import status_of
from sagakit.trace_context import TraceContext

_NAMES = {
    pb.ORDER_STATUS_PENDING: "PENDING",
    pb.ORDER_STATUS_COMPLETED: "COMPLETED",
    pb.ORDER_STATUS_CANCELLED: "CANCELLED",
}
_STATUSES = {name: value for value, name in _NAMES.items()}
_LONGEST_REASON = 1000


def new_order(request: pb.CreateOrderRequest, trace: TraceContext | None) -> NewOrder:
    """Return the order that a request asks for; ``trace`` is the caller's."""
    return NewOrder(
        user_id=request.user_id,
        product_id=request.product_id,
        quantity=request.quantity,
        price=request.price,
        address=request.address,
        request_id=request.request_id.lower() or None,
        trace=trace,
    )


def order_status(asked: pb.OrderStatus.ValueType) -> OrderStatus | None:
    """Return the status that a filter asks for; None where it asks for none."""
    return OrderStatus(_NAMES[asked]) if asked else None


def order_view(order: Order) -> pb.Order:
    """Return the API's message of one order."""
    request = order.cancel_request
    return pb.Order(
        order_id=order.order_id,
        user_id=order.user_id,
        product_id=order.product_id,
        quantity=order.quantity,
        price=order.price,
        address=order.address,
        status=_STATUSES[order.status],
        cancel_reason=(order.cancel_reason or "")[:_LONGEST_REASON],
        create_time=_timestamp(order.create_time),
        update_time=_timestamp(order.update_time),
        cancel_request_time=_timestamp(request.time) if request else None,
    )


def result_views(outcomes: Sequence[Order | Exception]) -> list[pb.CreateOrderResult]:
    """Return the result of each order of a list. An error that many of them share is logged once."""
    errors = dict.fromkeys(one for one in outcomes if isinstance(one, Exception))
    statuses = {error: status_of(error, "ordersaga")[1] for error in errors}
    return [
        pb.CreateOrderResult(error=statuses[one])
        if isinstance(one, Exception)
        else pb.CreateOrderResult(order=order_view(one))
        for one in outcomes
    ]


@lru_cache(1024)  # all orders of one transaction have the same time
def _timestamp(time: datetime) -> Timestamp:
    return Timestamp(seconds=int(time.timestamp()), nanos=time.microsecond * 1000)
