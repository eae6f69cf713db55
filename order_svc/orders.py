"""What an order is, and the rules of its life."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class OrderStatus(StrEnum):
    """PENDING ends in exactly one of COMPLETED and CANCELLED."""

    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a customer orders."""

    user_id: int
    product_id: int
    quantity: int
    price: int
    """Unit price the customer saw, in the currency's minor unit."""
    address: str
    request_id: str | None
    """Idempotency key, unique per user."""
    traceparent: str | None = None

    def content(self) -> tuple[int, int, int, int, str]:
        """Return what must be the same when a request id is used again."""
        return (self.user_id, self.product_id, self.quantity, self.price, self.address)


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

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self.status is not OrderStatus.PENDING

    def is_for(self, request: NewOrder) -> bool:
        """Say whether this order is the one that ``request`` asks for."""
        return (self.user_id, self.product_id, self.quantity, self.price, self.address) == request.content()


@dataclass(frozen=True, slots=True)
class Ending:
    """How the saga says that an order ends."""

    order_id: int
    status: OrderStatus
    reason: str | None = None

    def contradicts(self, order: Order) -> bool:
        """Say whether ``order`` has already ended otherwise. That is never applied, only counted and logged."""
        return order.final and (order.status, order.cancel_reason) != (self.status, self.reason)
