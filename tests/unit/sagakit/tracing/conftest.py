"""Spans that are kept in memory, by OpenTelemetry's own exporter for tests."""

from collections.abc import Iterator

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased

from sagakit.tracing import spans
from sagakit.tracing.spans import Tracing


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    """The spans that this process has made. A new trace is not recorded."""
    exporter = InMemorySpanExporter()
    spans.use(Tracing(SimpleSpanProcessor(exporter), ParentBased(ALWAYS_OFF), Resource.create({})))
    yield exporter
    spans.use(None)
