"""The rows of the four databases, as evidence. Times are microseconds since 1970."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Content:
    """What an order says."""

    user_id: int
    product_id: int
    quantity: int
    price: int
    address: str = ""


@dataclass(frozen=True)
class OutboxRow:
    """A row that was seen in order_svc's outbox."""

    message_id: str
    topic: str
    seen: float = 0.0
    """When it was seen last."""
    first_seen: float = 0.0


@dataclass(frozen=True)
class OrderRow:
    """A row of ``orders``."""

    order_id: int
    content: Content
    status: str
    cancel_reason: str | None = None
    request_id: str | None = None
    create_time: int = 0
    update_time: int = 0
    cancel_time: int | None = None
    """When its cancel was first asked for."""


@dataclass(frozen=True)
class MovementRow:
    """A row of ``stock_movements``."""

    order_id: int
    product_id: int
    quantity: int
    price: int | None
    refusal: str | None = None
    undone: bool = False
    create_time: int = 0
    update_time: int = 0

    @property
    def held(self) -> bool:
        """Whether the order has its pieces."""
        return self.refusal is None and not self.undone


@dataclass(frozen=True)
class DeliveryRow:
    """A row of ``deliveries``."""

    order_id: int
    user_id: int
    address: str
    status: str
    refusal: str | None = None
    create_time: int = 0
    update_time: int = 0


@dataclass(frozen=True)
class SagaRow:
    """A row of ``sagas``."""

    order_id: int
    start: Mapping[str, object]
    """The order as the saga knows it, by field; ``create_time`` in microseconds since 1970."""
    status: str
    step: str | None = None
    reason: str | None = None
    version: int = 1
    stuck: bool = False
    create_time: int = 0
    update_time: int = 0


@dataclass(frozen=True)
class SagaEvent:
    """A row of ``saga_events``."""

    order_id: int
    version: int
    type: str
    step: str | None = None
    reason: str | None = None
    message_id: str = ""
    create_time: int = 0


@dataclass(frozen=True)
class RestockRow:
    """A row of ``restocks``."""

    product_id: int
    quantity: int
    request_id: str | None
    create_time: int = 0


@dataclass
class Rows:
    """What the four databases held at one time. In a sample, contents may be left out."""

    orders: dict[int, OrderRow] = field(default_factory=dict)
    outbox: list[OutboxRow] = field(default_factory=list)
    stock: dict[int, int] = field(default_factory=dict)
    """Pieces in stock, by product."""
    prices: dict[int, int] = field(default_factory=dict)
    """By product; no call changes a price."""
    restocks: list[RestockRow] = field(default_factory=list)
    movements: dict[int, MovementRow] = field(default_factory=dict)
    deliveries: dict[int, DeliveryRow] = field(default_factory=dict)
    sagas: dict[int, SagaRow] = field(default_factory=dict)
    events: list[SagaEvent] = field(default_factory=list)
