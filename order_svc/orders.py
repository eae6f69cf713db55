"""Orders, and the rules of their life."""

import json
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ordersaga.messages import OrderCancelRequested, OrderCreated

from sagakit.trace_context import TraceContext, to_store


class OrderStatus(StrEnum):
    """PENDING ends in exactly one of COMPLETED and CANCELLED."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as a customer places it."""

    user_id: int
    product_id: int
    quantity: int
    price: int
    """Unit price the customer saw, in the currency's minor unit."""
    address: str
    request_id: str | None
    """Idempotency key, unique per user."""
    trace: TraceContext | None = None

    @property
    def traceparent(self) -> str | None:
        """Its place in a trace as a header; None where nobody records that."""
        return to_store(self.trace)

    def content(self) -> tuple[int, int, int, int, str]:
        """Return the fields that must be the same when a request id is used again."""
        return (self.user_id, self.product_id, self.quantity, self.price, self.address)


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """A request to cancel an order."""

    actor: str
    """Who asked."""
    note: str
    """Why, in the actor's own words."""
    time: datetime
    """When it was first asked."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it is stored."""

    order_id: int
    user_id: int
    product_id: int
    quantity: int
    price: int
    address: str
    status: OrderStatus
    cancel_reason: str | None
    create_time: datetime
    update_time: datetime
    cancel_request: CancelRequest | None = None
    """The first request to cancel it; the saga decides whether it comes in time."""
    request_id: str | None = None
    """The idempotency key that the customer gave."""
    traceparent: str | None = None
    """Where it was placed in a trace; None where nobody records that."""

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status is not OrderStatus.PENDING

    def after(self, news: str) -> "Order":
        """Return this order after its end; ``news`` is a JSON list of status, reason and time."""
        status, reason, time = json.loads(news)
        ended = datetime.fromisoformat(time)
        return replace(self, status=OrderStatus(status), cancel_reason=reason, update_time=ended)

    def is_for(self, request: NewOrder) -> bool:
        """Say whether this order is the one that ``request`` asks for."""
        return (self.user_id, self.product_id, self.quantity, self.price, self.address) == request.content()


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of an order, as the saga commands it."""

    order_id: int
    status: OrderStatus
    reason: str | None = None

    def contradicts(self, order: Order) -> bool:
        """Say whether ``order`` has already ended otherwise. Such a command is not applied, but counted and logged.

        Another reason is no other end. A saga whose database went back may have forgotten the first one, which stands.
        """
        return order.final and order.status != self.status


def order_created(order: Order) -> OrderCreated:
    """Return the message that begins the saga of ``order``. It is the same each time."""
    return OrderCreated(
        order_id=order.order_id,
        user_id=order.user_id,
        product_id=order.product_id,
        quantity=order.quantity,
        price=order.price,
        address=order.address,
        create_time=order.create_time,
        request_id=order.request_id,
    )


def order_cancel_requested(order: Order) -> OrderCancelRequested:
    """Return the message that asks the saga to cancel ``order``; it carries the whole order.

    Raises:
        ValueError: nobody has asked for it.
    """
    request = order.cancel_request
    if request is None:
        msg = f"nobody has asked to cancel order {order.order_id}"
        raise ValueError(msg)
    return OrderCancelRequested(
        order_id=order.order_id,
        user_id=order.user_id,
        product_id=order.product_id,
        quantity=order.quantity,
        price=order.price,
        address=order.address,
        create_time=order.create_time,
        actor=request.actor,
        reason=request.note,
        request_time=request.time,
        request_id=order.request_id,
    )


def order_in(request: OrderCancelRequested) -> OrderCreated:
    """Return the order that a request to cancel carries."""
    return OrderCreated(
        order_id=request.order_id,
        user_id=request.user_id,
        product_id=request.product_id,
        quantity=request.quantity,
        price=request.price,
        address=request.address,
        create_time=request.create_time,
        request_id=request.request_id,
    )


def announcements(order: Order) -> list[OrderCreated | OrderCancelRequested]:
    """Return all messages that the saga must have of ``order`` so far."""
    created = order_created(order)
    return [created, order_cancel_requested(order)] if order.cancel_request else [created]
