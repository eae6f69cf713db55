"""What was seen of a run: gRPC answers, the topics, the databases. It knows nothing of the code under test.

`recorder.py` gathers it, `checker.py` judges it. Everything is plain data, so that a test can write it by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from devstack.layout import MANIFESTS
from devstack.services import NAMES
from tests.chaos.evidence_calls import Call, CancelCall, CreateCall, Outcome, ReadCall, RestockCall, SagaCall
from tests.chaos.evidence_faults import FaultWindow, Overdue, Remade, Restored, WentBack
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
from tests.chaos.evidence_views import OrderList, OrderView, OrderWatch, SagaView, SagaWatch

__all__ = [
    "READERS",
    "SERVICES",
    "TOPICS",
    "WRITERS",
    "Call",
    "CancelCall",
    "Content",
    "CreateCall",
    "DeadLetter",
    "DeliveryRow",
    "Evidence",
    "FaultWindow",
    "MovementRow",
    "OffsetSample",
    "OrderList",
    "OrderRow",
    "OrderView",
    "OrderWatch",
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
    "SagaCall",
    "SagaEvent",
    "SagaRow",
    "SagaView",
    "SagaWatch",
    "StockSample",
    "WentBack",
]

SERVICES = NAMES
READERS = {topic: name for name, manifest in MANIFESTS.items() for topic in manifest.topics}
"""Which consumer group reads each topic."""
WRITERS = {record.TOPIC: name for name, manifest in MANIFESTS.items() for record in manifest.writes}
"""Which service writes to each topic."""
TOPICS = tuple(READERS)


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
    seen: float = 0.0
    """When it was read, which is soon after it was written."""

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
    key: bytes = b""

    def is_of(self, record: Record) -> bool:
        """Say whether it is ``record``, parked. An offset alone does not say: it may be of another incarnation."""
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


@dataclass
class Evidence:
    """Everything that was seen of one run."""

    initial_stock: dict[int, int] = field(default_factory=dict)
    """Pieces that each product of the run was created with."""
    epoch: int = 0
    """When the recording began, in microseconds since 1970."""
    creates: list[CreateCall] = field(default_factory=list)
    cancels: list[CancelCall] = field(default_factory=list)
    reads: list[ReadCall] = field(default_factory=list)
    saga_calls: list[SagaCall] = field(default_factory=list)
    restocks: list[RestockCall] = field(default_factory=list)
    orders_seen: list[OrderView] = field(default_factory=list)
    sagas_seen: list[SagaView] = field(default_factory=list)
    lists: list[OrderList] = field(default_factory=list)
    order_watches: list[OrderWatch] = field(default_factory=list)
    saga_watches: list[SagaWatch] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    offsets: list[OffsetSample] = field(default_factory=list)
    stock: list[StockSample] = field(default_factory=list)
    remade: list[Remade] = field(default_factory=list)
    restored: list[Restored] = field(default_factory=list)
    faults: list[FaultWindow] = field(default_factory=list)
    """What was laid on the run, and when."""
    went_back: list[WentBack] = field(default_factory=list)
    forged: set[str] = field(default_factory=set)
    """The message ids of the records that no service wrote, and that none may obey."""
    overdue: list[Overdue] = field(default_factory=list)
    rows: Rows = field(default_factory=Rows)
    """The databases at the end, after the bound within which everything is to be final."""

    def calls(self) -> list[Call]:
        """Return every call that was made."""
        return [*self.creates, *self.cancels, *self.reads, *self.saga_calls, *self.restocks]

    def second(self, micros: int) -> float:
        """Return the second of the recording that a stored time stands for."""
        return (micros - self.epoch) / 1_000_000

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
