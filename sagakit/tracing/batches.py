"""The spans of a batch: one beneath each message, or saga, whose trace is recorded, and one of the batch beside them.

The batch's own span has a trace of its own, which links all that are in it.
"""

import time
from collections.abc import Hashable, Iterable
from types import TracebackType
from typing import Self, TypeAlias

from opentelemetry.trace import Link, SpanKind

from sagakit.trace_context import TraceContext
from sagakit.tracing.messages import operation
from sagakit.tracing.spans import Attributes, Span, aside, link, tracing

Source: TypeAlias = tuple[str, int, int]
"""A message's topic, partition and offset."""
_NONE: Attributes = {}
_MOST_FAILED = 1000
"""Messages that are remembered because they come again."""


class Batch:
    """The block of one batch."""

    def __init__(self, name: str, kind: SpanKind = SpanKind.INTERNAL, attributes: Attributes = _NONE) -> None:
        """Begin a batch whose own span is ``name``; all its spans are of ``kind``."""
        self._name, self._kind, self._attributes = name, kind, attributes
        self._tracing = tracing()
        self._began = time.time_ns()
        self._spans: dict[Hashable, tuple[TraceContext, Span]] = {}
        self._ended: set[Hashable] = set()
        """Those keys of which it is known whether they are done or have failed."""

    def __enter__(self) -> Self:
        """Begin the block."""
        return self

    def add(
        self, key: Hashable, name: str, attributes: Attributes, trace: TraceContext | None, links: tuple[Link, ...] = ()
    ) -> TraceContext | None:
        """Begin the span ``name`` of what ``key`` stands for, beneath ``trace``; return the place beneath it.

        Where ``key`` has one already, because a transaction is run again, that one goes on.
        """
        making = self._tracing
        if making is None or trace is None:
            return trace
        if not trace.sampled:  # only a call begins to record: a trace that begins in its midst would lack its root
            return trace
        if not making.records(trace):
            return trace._replace(sampled=False)
        if key in self._spans:
            return self._spans[key][1].place
        span = Span(making, name, self._kind, attributes, trace, began=self._began, links=links)
        self._spans[key] = trace, span
        return span.place

    def done(self, keys: Iterable[Hashable]) -> None:
        """Note that what ``keys`` stand for is done."""
        self._ended.update(keys)

    def failed(self, key: Hashable, error: Exception) -> None:
        """Note that what ``key`` stands for has failed."""
        self._ended.add(key)
        if key in self._spans:
            self._spans[key][1].fail(type(error).__name__)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """End the spans; where the batch fails as a whole, each of them has failed.

        What is neither done nor has failed leaves none: its transaction was rolled back, and no other has taken it up.
        """
        ended = [place for key, place in self._spans.items() if error or key in self._ended]
        if self._tracing is None or not ended:
            return
        links = [link(trace) for trace, _ in ended]
        batch = Span(self._tracing, self._name, self._kind, self._attributes, aside(), began=self._began, links=links)
        for span in (batch, *(span for _, span in ended)):
            if error:
                span.fail(type(error).__name__)
            span.end()


class Handled(Batch):
    """The block of a batch of messages."""

    def __init__(self, size: int, by: "Handling") -> None:
        """Begin a batch of ``size`` messages."""
        attributes = {**by.attributes, "messaging.batch.message_count": size}
        super().__init__(f"process batch {by.group}", SpanKind.CONSUMER, attributes)
        self._by = by

    def taken(self, trace: TraceContext | None, source: Source) -> TraceContext | None:
        """Note a message that is to be handled, of the place ``trace``; return the place beneath its handling."""
        if self._tracing is None or trace is None:
            return trace
        topic, partition, offset = source
        attributes = {
            **self._by.attributes,
            "messaging.destination.name": topic,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        }
        self.done([source])
        before = self._by.failed.get(source)
        return self.add(source, f"process {topic}", attributes, trace, (link(before),) if before else ())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the spans, and remember those of messages that come again."""
        super().__exit__(kind, error, at)
        self._by.remember({source: span.place for source, (_, span) in self._spans.items()}, again=error is not None)


class Handling:
    """What handles the messages of one consumer group, batch after batch.

    A message that comes again, because its batch has failed, has one more span beneath it, which links the one before.
    """

    def __init__(self, group: str) -> None:
        """Handle for ``group``."""
        self.group = group
        self.attributes: Attributes = {**operation("process"), "messaging.consumer.group.name": group}
        self.failed: dict[Hashable, TraceContext] = {}
        """By its source, the handling that has failed of a message that comes again."""

    def batch(self, size: int) -> Handled:
        """Return the block of a batch of ``size`` messages."""
        return Handled(size, self)

    def remember(self, handled: dict[Hashable, TraceContext], *, again: bool) -> None:
        """Remember what was ``handled`` in vain, and comes ``again``; forget it where all went well."""
        if again:
            self.failed.update(handled)
            while len(self.failed) > _MOST_FAILED:
                del self.failed[next(iter(self.failed))]
        elif self.failed:
            for source in handled:
                self.failed.pop(source, None)
