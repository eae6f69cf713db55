"""Spans that are kept in memory, by OpenTelemetry's own exporter for tests."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler

from sagakit.tracing import spans
from sagakit.tracing.spans import Tracing

FOLLOWING = ParentBased(ALWAYS_OFF)
"""Records what the caller does, and no trace beside that."""


@contextmanager
def keeping(sampler: Sampler | None = FOLLOWING) -> Iterator[InMemorySpanExporter]:
    """Keep the spans of this process, those that ``sampler`` or the environment's variables ask for."""
    exporter = InMemorySpanExporter()
    spans.use(Tracing(SimpleSpanProcessor(exporter), sampler, Resource.create({})))
    try:
        yield exporter
    finally:
        spans.use(None)


def named(kept: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """Return the spans of that ``name``, in the order of their ends."""
    return [span for span in kept.get_finished_spans() if span.name == name]
