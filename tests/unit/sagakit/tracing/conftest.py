"""Spans that are kept in memory, by OpenTelemetry's own exporter for tests."""

from collections.abc import Callable, Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler

from sagakit.tracing import spans
from sagakit.tracing.spans import Tracing

Keep = Callable[[Sampler | None], InMemorySpanExporter]


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Has the spans of this process kept, those that a sampler or the environment's variables ask for."""

    def begin(sampler: Sampler | None) -> InMemorySpanExporter:
        exporter = InMemorySpanExporter()
        spans.use(Tracing(SimpleSpanProcessor(exporter), sampler, Resource.create({})))
        return exporter

    yield begin
    spans.use(None)


@pytest.fixture
def kept(keep: Keep) -> InMemorySpanExporter:
    """The spans that this process has made. A new trace is not recorded."""
    return keep(ParentBased(ALWAYS_OFF))
