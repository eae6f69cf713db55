"""The spans of messages.

Each message is beneath what made it, and whoever handles it is beneath the message: so all that follows from a call is
one tree. What many messages share, a transaction or a request to Kafka, is in each one's tree, with the times of all.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from sagakit.trace_context import TRACEPARENT, TraceContext, trace_of
from sagakit.tracing.spans import Attributes, Tracing, link, place, tracing

_RECORDED = b"-01"
"""How the header of a trace ends that is recorded."""


class Sent(Protocol):
    """A message in the form that Kafka's client takes."""

    @property
    def topic(self) -> str:
        """Where it goes."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers."""
        ...


def created(topic: str, parent: TraceContext | None) -> TraceContext | None:
    """Note that a message for ``topic`` was made beneath ``parent``; return the place beneath the message.

    Without a ``parent`` it begins a trace, which may be recorded.
    """
    making = tracing()
    if making is None or (parent and not parent.sampled):
        return parent
    name, attributes = f"create {topic}", _operation("create") | {"messaging.destination.name": topic}
    span = making.begin(parent, name, SpanKind.PRODUCER, attributes)
    span.end()
    return place(span)


@contextmanager
def sending(messages: Sequence[Sent]) -> Iterator[None]:
    """Measure how long Kafka takes to acknowledge ``messages``."""
    making = tracing()
    recorded = list(_recorded(messages)) if making else []
    if making is None or not recorded:
        yield
        return
    with _shared(making) as entries:
        for topic, trace in recorded:
            attributes = _operation("send") | {
                "messaging.destination.name": topic,
                "messaging.batch.message_count": len(messages),
            }
            entries.append((trace, f"send {topic}", SpanKind.CLIENT, attributes))
        yield


@contextmanager
def transacting(size: int) -> Iterator[list[TraceContext | None]]:
    """Measure a transaction that ``size`` calls or messages share.

    The block notes the places beneath which it belongs in the list that it gets; those not recorded do not matter.
    """
    making = tracing()
    if making is None:
        yield []
        return
    with _shared(making) as entries:
        beneath: list[TraceContext | None] = []
        try:
            yield beneath
        finally:
            attributes: Attributes = {
                "db.system.name": "postgresql",
                "db.operation.name": "transaction",
                "db.operation.batch.size": size,
            }
            recorded = (trace for trace in beneath if trace and trace.sampled)
            entries.extend((trace, "transaction", SpanKind.CLIENT, attributes) for trace in recorded)


def places(messages: Iterable[Sent]) -> list[TraceContext]:
    """Return the place beneath each of ``messages`` whose trace is recorded; none where nobody wants spans."""
    return [trace for _, trace in _recorded(messages)] if tracing() else []


class Handled:
    """The block of one batch, with a span for each message whose trace is recorded, and one of its own beside them."""

    def __init__(self, group: str, size: int) -> None:
        """Begin a batch of ``size`` messages of the consumer group ``group``."""
        self._group, self._size, self._tracing = group, size, tracing()
        self._began = time.time_ns()
        self._spans: dict[tuple[str, int, int], tuple[TraceContext, Span]] = {}

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def taken(self, trace: TraceContext | None, source: tuple[str, int, int]) -> TraceContext | None:
        """Note a message that is to be handled, of the place ``trace``; return the place beneath its handling.

        ``source`` is its topic, partition and offset.
        """
        if self._tracing is None or trace is None or not trace.sampled:
            return trace
        topic, partition, offset = source
        attributes = self._process() | {
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        }
        span = self._tracing.beneath(trace, f"process {topic}", SpanKind.CONSUMER, attributes, self._began)
        self._spans[source] = trace, span
        return place(span)

    def failed(self, source: tuple[str, int, int], error: Exception) -> None:
        """Note that the message of ``source`` cannot be handled."""
        if source in self._spans:
            _fails(self._spans[source][1], error)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """End the spans; where the batch fails as a whole, each of them has failed."""
        if self._tracing is None or not self._spans:
            return
        attributes = self._process() | {"messaging.batch.message_count": self._size}
        links = [link(trace) for trace, _ in self._spans.values()]
        batch = self._tracing.aside(f"process batch {self._group}", SpanKind.CONSUMER, attributes, links, self._began)
        for span in (batch, *(span for _, span in self._spans.values())):
            if error:
                _fails(span, error)
            span.end()

    def _process(self) -> dict[str, str | int]:
        return _operation("process") | {"messaging.consumer.group.name": self._group}


def _operation(name: str) -> dict[str, str | int]:
    return {"messaging.system": "kafka", "messaging.operation.type": name, "messaging.operation.name": name}


def _fails(span: Span, error: BaseException) -> None:
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", type(error).__name__)


_Shared = list[tuple[TraceContext, str, SpanKind, Attributes]]


@contextmanager
def _shared(making: Tracing) -> Iterator[_Shared]:
    """Make a span of the block's time for each entry that the block leaves, also where it fails."""
    began, entries = time.time_ns(), _Shared()
    failed: Exception | None = None
    try:
        yield entries
    except Exception as error:
        failed = error
        raise
    finally:
        ended = time.time_ns()
        for parent, name, kind, attributes in entries:
            span = making.beneath(parent, name, kind, attributes, began)
            if failed:
                _fails(span, failed)
            span.end(ended)


def _recorded(messages: Iterable[Sent]) -> Iterator[tuple[str, TraceContext]]:
    for message in messages:
        if any(name == TRACEPARENT and (value or b"").endswith(_RECORDED) for name, value in message.headers):
            trace = trace_of(message.headers)
            if trace:
                yield message.topic, trace
