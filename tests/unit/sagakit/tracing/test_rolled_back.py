"""What a transaction makes that is rolled back leaves no span; what is made again has one, like what is sent."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any, TypeVar

import psycopg
import pytest
from confluent_kafka import Message as KafkaMessage
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from sagakit.consumer.batch_handler import BatchHandler
from sagakit.messages import Encoded, Message, Outgoing
from sagakit.offsets import stored_offsets
from sagakit.offsets.handled import Offsets
from sagakit.outbox import table
from sagakit.outbox.writer import OutboxWriter
from sagakit.records import Record
from sagakit.trace_context import TraceContext, if_recorded
from sagakit.tracing.messages import created
from tests.support.spans import named

T = TypeVar("T")
CALL = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)


class Codec:
    """Decodes a key, but not what says rubbish, and encodes as the kit's own does."""

    def decode(self, _: str, key: bytes, value: bytes, *__: object) -> Any:
        if value == b"rubbish":
            raise ValueError(value)
        return SimpleNamespace(key=int(key))

    def encode(self, outgoing: Outgoing) -> Encoded:
        trace, export = created("hotel-booked", outgoing.beneath)
        return Encoded("hotel-booked", b"1", b"", (), if_recorded(trace), export)


def consumed(number: int, value: bytes = b"") -> KafkaMessage:
    place: Any = {"topic": "book-hotel", "partition": 3, "offset": 40 + number, "headers": list(CALL.headers)}
    return KafkaMessage(key=b"%d" % number, value=value, **place)


@pytest.fixture
def sent() -> list[Encoded]:
    return []


@pytest.fixture
def handling(monkeypatch: pytest.MonkeyPatch, sent: list[Encoded]) -> BatchHandler:
    """Handles messages; a transaction with that of the key 2 in it is not committed."""
    monkeypatch.setattr(stored_offsets, "write", lambda *_: None)
    keys: set[int] = set()

    def handle(messages: Sequence[Message[Record]], _: object) -> list[Outgoing]:
        keys.clear()
        keys.update(message.record.key for message in messages)
        return [Outgoing(message.record, message) for message in messages]

    def transact(function: Callable[[Any], list[Encoded]]) -> list[Encoded]:
        encoded = function(None)
        if 2 in keys:
            raise ValueError("refused at the commit")
        return encoded

    database: Any = SimpleNamespace(kept=lambda _: SimpleNamespace(transact=transact))
    codec: Any = Codec()
    producer: Any = SimpleNamespace(deliver=sent.extend)
    return BatchHandler("bookings", handle, codec, database, producer, Offsets())


def ids_of(spans: Sequence[ReadableSpan]) -> list[str]:
    return [f"{span.context.span_id:016x}" for span in spans if span.context]


def made_beneath(messages: Sequence[Encoded]) -> list[str]:
    """Return the ids of the spans of which ``messages`` say that they made them."""
    return [message.recorded.span_id for message in messages if message.recorded]


def test_a_batch_that_is_halved_exports_what_was_sent_and_nothing_beside(
    kept: InMemorySpanExporter, handling: BatchHandler, sent: list[Encoded]
) -> None:
    failed = handling.handle([consumed(number) for number in (1, 2, 3, 4)])
    assert [raw.key() for raw, _ in failed] == [b"2"]
    assert len(sent) == 3
    assert ids_of(named(kept, "create hotel-booked")) == made_beneath(sent)
    ended = Counter(span.status.status_code for span in named(kept, "process book-hotel"))
    assert ended == {StatusCode.UNSET: 3, StatusCode.ERROR: 1}


def test_a_message_that_cannot_be_decoded_has_been_handled_in_vain(
    kept: InMemorySpanExporter, handling: BatchHandler
) -> None:
    failed = handling.handle([consumed(1), consumed(3, b"rubbish")])
    assert [raw.key() for raw, _ in failed] == [b"3"]
    well, ill = named(kept, "process book-hotel")
    assert [span.status.status_code for span in (well, ill)] == [StatusCode.UNSET, StatusCode.ERROR]
    assert dict(ill.attributes or {})["error.type"] == "ValueError"
    assert dict(ill.attributes or {})["messaging.kafka.offset"] == 43


class Database:
    """Runs a transaction as often as it is told, as one whose statements are stale; then it commits, or does not."""

    def __init__(self, attempts: int, error: Exception | None = None) -> None:
        self.timelines = SimpleNamespace(tables=0, must_be_whole=lambda: None, must_have=lambda *_: None)
        self._attempts, self._error = attempts, error

    async def run(self, function: Callable[[Any], T]) -> T:
        results = [function(None) for _ in range(self._attempts)]
        if self._error:
            raise self._error
        return results[-1]


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, sent: list[Encoded]) -> Callable[[Database], Awaitable[None]]:
    """Has one message written, and published where that is committed."""
    monkeypatch.setattr(table, "add", lambda _, messages: [SimpleNamespace(outbox_id=1) for _ in messages])
    monkeypatch.setattr(table, "remove", lambda *_: None)
    bound: Any = SimpleNamespace(reserve=lambda most: most, settle=lambda *_: None, removed=lambda _: None)
    codec: Any = Codec()
    producer: Any = SimpleNamespace(deliver=sent.extend)
    record: Any = None

    async def write(database: Any) -> None:
        writer = OutboxWriter(database, codec, producer, bound)
        await writer.write(1, lambda *_: (None, [Outgoing(record, trace=CALL)]), [CALL])
        await writer.drain()

    return write


async def test_a_write_that_is_run_again_has_made_its_messages_once(
    kept: InMemorySpanExporter, write: Callable[[Database], Awaitable[None]], sent: list[Encoded]
) -> None:
    await write(Database(attempts=3))
    assert len(sent) == 1
    assert ids_of(named(kept, "create hotel-booked")) == made_beneath(sent)


async def test_a_write_that_is_not_committed_has_made_nothing(
    kept: InMemorySpanExporter, write: Callable[[Database], Awaitable[None]]
) -> None:
    with pytest.raises(psycopg.OperationalError):
        await write(Database(attempts=1, error=psycopg.OperationalError("away")))
    assert [span.name for span in kept.get_finished_spans()] == ["transaction"]
