"""Spans that are kept in memory."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Sampler

from tests.support.spans import keeping

Keep = Callable[[Sampler | None], InMemorySpanExporter]


@pytest.fixture
def keep() -> Iterator[Keep]:
    """Has the spans of this process kept, those that a sampler or the environment's variables ask for."""
    with ExitStack() as stack:
        yield lambda sampler: stack.enter_context(keeping(sampler))


@pytest.fixture
def kept() -> Iterator[InMemorySpanExporter]:
    """The spans that this process has made. A new trace is not recorded."""
    with keeping() as exporter:
        yield exporter
