"""Answers as views: what a caller was shown, as evidence."""

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from tests.chaos.evidence import Content, OrderView, SagaView


def content_of(order: order_pb2.Order) -> Content:
    """Return what an order says."""
    return Content(order.user_id, order.product_id, order.quantity, order.price, order.address)


def order_view(order: order_pb2.Order, name: str, began: float, ended: float) -> OrderView:
    """Return ``order`` as the call ``name`` showed it."""
    status = order_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_")
    asked = _micros(order.cancel_request_time) if order.HasField("cancel_request_time") else None
    times = (_micros(order.create_time), _micros(order.update_time), asked)
    return OrderView(order.order_id, content_of(order), status, order.cancel_reason or None, *times, name, began, ended)


def saga_view(
    saga: orchestrator_pb2.Saga, name: str, began: float, ended: float, history: tuple[tuple[int, str], ...] = ()
) -> SagaView:
    """Return ``saga`` as the call ``name`` showed it, with its events, where the call showed all of them."""
    status = orchestrator_pb2.SagaStatus.Name(saga.status).removeprefix("SAGA_STATUS_")
    times = (_micros(saga.create_time), _micros(saga.update_time))
    return SagaView(
        saga.order_id, status, saga.step or None, saga.reason or None, saga.version, *times, name, began, ended, history
    )


def history_of(answer: orchestrator_pb2.GetSagaResponse) -> tuple[tuple[int, str], ...]:
    """Return the versions and types of the events that were shown; none where some are left for another page."""
    if answer.next_history_page_token:
        return ()
    names = orchestrator_pb2.SagaEventType
    return tuple((event.version, names.Name(event.type).removeprefix("SAGA_EVENT_TYPE_")) for event in answer.history)


def _micros(time: Timestamp) -> int:
    return time.seconds * 1_000_000 + time.nanos // 1000
