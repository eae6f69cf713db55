"""Where a span is placed, and whether it is recorded.

Nothing is done for a trace that is not recorded: OpenTelemetry's own span that records nothing costs ten microseconds,
and of a hundred calls ninety-nine are followed by dozens of them.
"""

from collections.abc import Mapping
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    TraceState,
    set_span_in_context,
)

from sagakit.trace_context import TraceContext

Attributes: TypeAlias = Mapping[str, str | int]


class Tracing:
    """Makes the spans of this process."""

    def __init__(self, processor: SpanProcessor, sampler: Sampler | None, resource: Resource) -> None:
        """Hand spans to ``processor``; ``sampler``, or OpenTelemetry's variables, say which new traces are recorded."""
        self._provider = TracerProvider(sampler, resource)
        self._provider.add_span_processor(processor)
        always = TracerProvider(ALWAYS_ON, resource)
        always.add_span_processor(processor)
        self._sampling: Tracer = self._provider.get_tracer("sagakit")
        self._recording: Tracer = always.get_tracer("sagakit")

    def begin(self, parent: TraceContext | None, name: str, kind: SpanKind, attributes: Attributes) -> Span:
        """Begin a span beneath ``parent``, which is recorded; without one a trace, which may be one that is not."""
        if parent:
            return self.beneath(parent, name, kind, attributes)
        return self._sampling.start_span(name, Context(), kind, attributes)

    def beneath(
        self, parent: TraceContext, name: str, kind: SpanKind, attributes: Attributes, start: int | None = None
    ) -> Span:
        """Begin a span beneath ``parent``, which is recorded, at ``start`` in nanoseconds of Unix time, or now."""
        return self._recording.start_span(name, _context(parent), kind, attributes, start_time=start)

    def aside(self, name: str, kind: SpanKind, attributes: Attributes, links: list[Link], start: int) -> Span:
        """Begin a trace of its own at ``start`` beside those of ``links``, which are recorded."""
        return self._recording.start_span(name, Context(), kind, attributes, links, start)

    def close(self) -> None:
        """Hand over what is not yet handed over, for as long as OpenTelemetry's variables allow."""
        self._provider.shutdown()


_tracing: list[Tracing] = []


def use(tracing: Tracing | None) -> None:
    """Make spans by ``tracing`` from now on; None: make none."""
    _tracing[:] = [tracing] if tracing else []


def tracing() -> Tracing | None:
    """Return what makes this process's spans; None where nobody wants them."""
    return _tracing[0] if _tracing else None


def place(span: Span) -> TraceContext:
    """Return the place beneath ``span``."""
    found = span.get_span_context()
    return TraceContext(
        f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled, found.trace_state.to_header()
    )


def link(trace: TraceContext) -> Link:
    """Return a link to ``trace``."""
    return Link(_span_context(trace))


def _context(trace: TraceContext) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(trace)), Context())


def _span_context(trace: TraceContext) -> SpanContext:
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if trace.sampled else TraceFlags.DEFAULT),
        trace_state=TraceState.from_header([trace.state] if trace.state else []),
    )
