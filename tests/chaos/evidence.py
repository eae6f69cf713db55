"""What was seen of a run: gRPC answers, the topics, the databases. It knows nothing of the code under test.

`recorder.py` gathers it, `checker.py` judges it. Everything is plain data, so that a test can write it by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tests.chaos.evidence_rows import (
    Content,
    DeliveryRow,
    MovementRow,
    OrderRow,
    OutboxRow,
    RestockRow,
    Rows,
    SagaEvent,
    SagaRow,
)

__all__ = [
    "READERS",
    "SERVICES",
    "TOPICS",
    "Call",
    "CancelCall",
    "Content",
    "CreateCall",
    "DeadLetter",
    "DeliveryRow",
    "Evidence",
    "MovementRow",
    "OffsetSample",
    "OrderRow",
    "OutboxRow",
    "Outcome",
    "Overdue",
    "Place",
    "ReadCall",
    "Record",
    "Remade",
    "RestockCall",
    "RestockRow",
    "Restored",
    "Rows",
    "SagaEvent",
    "SagaRow",
    "StockSample",
    "WentBack",
]

TOPICS = (
    "order-created",
    "decrease-product-command",
    "product-decreased",
    "create-delivery-command",
    "delivery-created",
    "complete-order-command",
)
READERS = {
    "order-created": "orchestrator_svc",
    "decrease-product-command": "product_svc",
    "product-decreased": "orchestrator_svc",
    "create-delivery-command": "delivery_svc",
    "delivery-created": "orchestrator_svc",
    "complete-order-command": "order_svc",
}
"""Which consumer group reads each topic."""
SERVICES = ("order_svc", "product_svc", "delivery_svc", "orchestrator_svc")


class Outcome(StrEnum):
    """What a caller knows of its call."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    """Answered with a status that says that nothing was done."""
    UNANSWERED = "unanswered"
    """Indeterminate: it may have been done."""


@dataclass(frozen=True)
class CreateCall:
    """One attempt at ``CreateOrder``; a repeat is another."""

    request_id: str
    content: Content
    outcome: Outcome
    order_id: int | None = None
    answered: Content | None = None
    """The order's content as it was answered."""
    code: str = "OK"
    """The status's name, such as ``ALREADY_EXISTS``."""
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class CancelCall:
    """One attempt at ``CancelOrder``."""

    order_id: int
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class ReadCall:
    """One attempt at ``GetOrder``."""

    order_id: int
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


@dataclass(frozen=True)
class RestockCall:
    """One attempt at ``RestockProduct``."""

    product_id: int
    quantity: int
    request_id: str
    outcome: Outcome
    code: str = "OK"
    began: float = 0.0
    ended: float = 0.0


Call = CreateCall | CancelCall | ReadCall | RestockCall


@dataclass(frozen=True)
class Place:
    """Where a record stands. A topic that was deleted and made anew begins another incarnation, at offset 0 again."""

    topic: str
    partition: int
    offset: int
    incarnation: int = 0

    def __str__(self) -> str:
        """Write it as Kafka's tools do."""
        again = f"#{self.incarnation}" if self.incarnation else ""
        return f"{self.topic}{again}-{self.partition}-{self.offset}"


@dataclass(frozen=True)
class Record:
    """One record of the six topics."""

    place: Place
    key: bytes | None
    value: bytes | None
    headers: Mapping[str, bytes]
    type: str = ""
    """The record type's short name, such as ``OrderCreated``; empty where the bytes cannot be decoded as they say."""
    fields: Mapping[str, object] = field(default_factory=dict)
    """The decoded fields; times are microseconds since 1970."""

    @property
    def order_id(self) -> int:
        """Whose record it is; 0 where it cannot be decoded."""
        number = self.fields.get("order_id", 0)
        return number if isinstance(number, int) else 0

    @property
    def message_id(self) -> str:
        """Its id; empty where it has none."""
        return self.headers.get("message-id", b"").decode(errors="replace")

    @property
    def causation_id(self) -> str:
        """The id of the record that it reacts to; empty where it has none."""
        return self.headers.get("causation-id", b"").decode(errors="replace")


@dataclass(frozen=True)
class DeadLetter:
    """One record of a group's dead-letter topic, tombstones left out."""

    group: str
    topic: str
    partition: int
    offset: int
    value: bytes
    headers: Mapping[str, bytes]
    reason: str

    def is_of(self, record: Record) -> bool:
        """Say whether it is ``record``, parked. An offset alone would not tell: it may be of another incarnation."""
        same_place = (self.topic, self.partition, self.offset) == (
            record.place.topic,
            record.place.partition,
            record.place.offset,
        )
        same_id = self.headers.get("message-id") == record.headers.get("message-id")
        return same_place and same_id and self.value == (record.value or b"")


@dataclass
class OffsetSample:
    """A group's committed offsets, and the rows of its database as they were read after the offsets."""

    group: str
    time: float
    committed: dict[tuple[str, int, int], int]
    """By topic, incarnation and partition: the offset of the next record to read."""
    rows: Rows


@dataclass(frozen=True)
class StockSample:
    """A product's stock at a time."""

    time: float
    product_id: int
    stock: int


@dataclass(frozen=True)
class Remade:
    """A topic was deleted and made anew."""

    time: float
    topic: str


@dataclass(frozen=True)
class Restored:
    """order_svc's database went back to an older state: these rows were gone, and their ids were given again."""

    time: float
    orders: tuple[OrderRow, ...]


@dataclass(frozen=True)
class WentBack:
    """A service's database went back: at `time` it was again as it had been at `since`."""

    service: str
    since: float
    time: float


@dataclass(frozen=True)
class Overdue:
    """A saga whose deadline had passed, and that was not asked again, though nothing kept the timers from it."""

    order_id: int
    seconds: float
    """How long the deadline had passed."""


@dataclass
class Evidence:
    """Everything that was seen of one run."""

    initial_stock: dict[int, int] = field(default_factory=dict)
    """Pieces that each product of the run was created with."""
    creates: list[CreateCall] = field(default_factory=list)
    cancels: list[CancelCall] = field(default_factory=list)
    reads: list[ReadCall] = field(default_factory=list)
    restocks: list[RestockCall] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    offsets: list[OffsetSample] = field(default_factory=list)
    stock: list[StockSample] = field(default_factory=list)
    remade: list[Remade] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    went_back: list[WentBack] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)
    """The message ids of the records that no service wrote, and that none may obey."""
    overdue: list[Overdue] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    """The databases at the end, after the bound within which everything is to be final."""

    def calls(self) -> list[Call]:
        """Return every call that was made."""
        return [*self.creates, *self.cancels, *self.reads, *self.restocks]

    def acknowledged(self) -> Iterator[tuple[int, CreateCall]]:
        """Yield every acknowledged ``CreateOrder`` with its order's id."""
        for call in self.creates:
            if call.outcome is Outcome.ACKNOWLEDGED and call.order_id is not None:
                yield call.order_id, call

    def removed(self) -> dict[int, OrderRow]:
        """Return the first order of every id whose row was gone after a restore."""
        found: dict[int, OrderRow] = {}
        for restore in self.restored:
            for row in restore.orders:
                found.setdefault(row.order_id, row)
        return found
