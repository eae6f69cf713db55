"""The spans of messages as they are made and sent, and of the transactions that calls and messages share.

Each message is beneath what made it, and whoever handles it is beneath the message: so all that follows from a call is
one tree. What many messages share, a transaction or a request to Kafka, is in each one's tree, with the times of all.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Protocol

from opentelemetry.trace import SpanKind

from sagakit.trace_context import TraceContext
from sagakit.tracing import statements
from sagakit.tracing.spans import Attributes, Span, Tracing, tracing


class Sent(Protocol):
    """A message in the form that Kafka's client takes."""

    @property
    def topic(self) -> str:
        """Where it goes."""
        ...

    @property
    def recorded(self) -> TraceContext | None:
        """The place beneath it; None where its trace is not recorded."""
        ...

    @property
    def export(self) -> Callable[[], None] | None:
        """What exports the span of its making, if that has one."""
        ...


def created(topic: str, parent: TraceContext | None) -> tuple[TraceContext | None, Callable[[], None] | None]:
    """Note that a message for ``topic`` is made beneath ``parent``, in a transaction that may still be rolled back.

    Returns the place beneath the message, and what exports the span of its making; see `made`.
    """
    making = tracing()
    if making is None or parent is None or not parent.sampled:
        return parent, None
    span = Span(making, f"create {topic}", SpanKind.PRODUCER, _creates(topic), parent)
    return span.place, partial(span.end, time.time_ns())


def made(messages: Iterable[Sent]) -> None:
    """Export that ``messages`` were made. Call it once their transaction is committed, or before they are sent."""
    for message in messages:
        if message.export:
            message.export()


@contextmanager
def sending(messages: Sequence[Sent]) -> Iterator[None]:
    """Measure how long Kafka takes to acknowledge ``messages``."""
    making = tracing()
    recorded = [message for message in messages if message.recorded] if making else []
    if making is None or not recorded:
        yield
        return
    spans = [
        Span(making, f"send {one.topic}", SpanKind.CLIENT, _sends(one.topic, len(messages)), one.recorded)
        for one in recorded
        if one.recorded
    ]
    with _ending(spans):
        yield


@contextmanager
def transacting(size: int, beneath: Iterable[TraceContext | None]) -> Iterator[None]:
    """Measure a transaction that ``size`` calls or messages share, and its statements, in the trees of ``beneath``.

    Those of ``beneath`` that are not recorded do not matter.
    """
    making = tracing()
    recorded = list(dict.fromkeys(one for one in beneath if one and one.sampled)) if making else []
    if making is None or not recorded:
        yield
        return
    attributes: Attributes = {
        "db.system.name": "postgresql",
        "db.operation.name": "transaction",
        "db.operation.batch.size": size,
    }
    spans = [Span(making, "transaction", SpanKind.CLIENT, attributes, trace) for trace in recorded]
    with _ending(spans), statements.noting() as noted:
        try:
            yield
        finally:
            for span in spans:
                for statement in noted:
                    _executed(making, span.place, statement)


def _executed(making: Tracing, transaction: TraceContext, statement: statements.Statement) -> None:
    name, attributes = statements.described(statement.text)
    span = Span(making, name, SpanKind.CLIENT, attributes, transaction, began=statement.sent)
    if statement.error:
        span.fail(statement.error)
        span.note({"db.response.status_code": statement.error})
    span.end(statement.answered)


@contextmanager
def _ending(spans: Iterable[Span]) -> Iterator[None]:
    """End ``spans`` all at the block's end; where it raises, they have failed."""
    failed = ""
    try:
        yield
    except Exception as error:
        failed = type(error).__name__
        raise
    finally:
        ended = time.time_ns()
        for span in spans:
            if failed:
                span.fail(failed)
            span.end(ended)


def operation(name: str) -> Attributes:
    """Return the attributes of an operation on messages."""
    return {"messaging.system": "kafka", "messaging.operation.type": name, "messaging.operation.name": name}


@cache
def _creates(topic: str) -> Attributes:
    return {**operation("create"), "messaging.destination.name": topic}


def _sends(topic: str, size: int) -> Attributes:
    return {**operation("send"), "messaging.destination.name": topic, "messaging.batch.message_count": size}
