"""Where a span is placed, which are recorded at all, and how one is made.

OpenTelemetry's own span takes 35 microseconds, and 10 where it records nothing; there are dozens of them in a trace. So
the sampler is asked without a span, nothing is made of what is not recorded, and of what is recorded only the form that
exporters take.
"""

import random
import threading
import time
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from sagakit.trace_context import TraceContext

Attributes: TypeAlias = Mapping[str, str | int]

_SCOPE = InstrumentationScope("sagakit")
_RECORDED, _NOT_RECORDED = TraceFlags(TraceFlags.SAMPLED), TraceFlags(TraceFlags.DEFAULT)
_KEPT_STATES = 1000
_CLOSE_SECONDS = 2.0
"""OpenTelemetry itself would wait for thirty, as long as Kubernetes lets a process take for all of its stop."""
_WELL, _FAILED = Status(StatusCode.UNSET), Status(StatusCode.ERROR)


class Tracing:
    """Makes the spans of this process."""

    def __init__(self, processor: SpanProcessor, sampler: Sampler | None, resource: Resource) -> None:
        """Hand spans to ``processor``; ``sampler``, or OpenTelemetry's variables, say which traces are recorded."""
        self._processor, self.resource = processor, _Hashed(resource.attributes, resource.schema_url)
        self._sampler = sampler or TracerProvider(shutdown_on_exit=False).sampler  # which reads the variables
        self._follows = isinstance(self._sampler, ParentBased)

    def draw(self, name: str) -> TraceContext | None:
        """Return a place above the first span, ``name``, of a new trace; None where that is not to be recorded."""
        trace_id = random.getrandbits(128) or 1
        return _above(trace_id) if self._ask(Context(), trace_id, name) else None

    def records(self, trace: TraceContext) -> bool:
        """Say whether what comes in ``trace`` from elsewhere is recorded here: a sampler may go by that, or not."""
        if self._follows:
            return trace.sampled
        above = set_span_in_context(NonRecordingSpan(_context(trace)), Context())
        return self._ask(above, int(trace.trace_id, 16), "")

    def hand_over(self, span: ReadableSpan) -> None:
        """Have ``span``, which has ended, exported."""
        self._processor.on_end(span)

    def close(self) -> None:
        """Hand over what is not yet handed over, for two seconds at most: a collector may be away."""
        closing = threading.Thread(target=self._processor.shutdown, name="tracing", daemon=True)
        closing.start()
        closing.join(_CLOSE_SECONDS)

    def _ask(self, above: Context, trace_id: int, name: str) -> bool:
        return self._sampler.should_sample(above, trace_id, name).decision is Decision.RECORD_AND_SAMPLE


class Span:
    """One span that is recorded; it is handed over once it ends."""

    __slots__ = ("_above", "_attributes", "_began", "_kind", "_links", "_name", "_status", "_tracing", "place")

    def __init__(  # noqa: PLR0913 - a span has all of these
        self,
        tracing: Tracing,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        above: TraceContext,
        *,
        began: int | None = None,
        links: Sequence[Link] = (),
    ) -> None:
        """Begin a span beneath ``above`` at ``began`` in nanoseconds of Unix time, or now.

        ``above`` has no span's id where this is its trace's first one.
        """
        self._tracing, self._name, self._kind, self._attributes = tracing, name, kind, attributes
        self._above, self._began, self._links = above, began or time.time_ns(), links
        self._status = _WELL
        self.place = TraceContext(above.trace_id, f"{random.getrandbits(64) or 1:016x}", True, above.state)  # noqa: FBT003 - a tuple's
        """The place beneath it."""

    def note(self, attributes: Attributes) -> None:
        """Add ``attributes``."""
        self._attributes = {**self._attributes, **attributes}

    def fail(self, kind: str) -> None:
        """Note that what it measures has failed by an error of ``kind``."""
        self._status = _FAILED
        self.note({"error.type": kind})

    def end(self, at: int | None = None) -> None:
        """End it ``at`` that time in nanoseconds of Unix time, or now."""
        self._tracing.hand_over(
            ReadableSpan(
                self._name,
                _context(self.place),
                _context(self._above) if self._above.span_id else None,
                self._tracing.resource,
                self._attributes,
                (),
                self._links,
                self._kind,
                status=self._status,
                start_time=self._began,
                end_time=max(self._began, at or time.time_ns()),  # the clock may have been set back
                instrumentation_scope=_SCOPE,
            )
        )


_tracing: list[Tracing] = []


def use(tracing: Tracing | None) -> None:
    """Make spans by ``tracing`` from now on; None: make none."""
    _tracing[:] = [tracing] if tracing else []


def tracing() -> Tracing | None:
    """Return what makes this process's spans; None where nobody wants them."""
    return _tracing[0] if _tracing else None


def aside() -> TraceContext:
    """Return a place above the first span of a trace that is recorded, whatever the sampler says."""
    return _above(random.getrandbits(128) or 1)


def link(trace: TraceContext) -> Link:
    """Return a link to ``trace``."""
    return Link(_context(trace))


class _Hashed(Resource):
    """A resource that knows its hash: OpenTelemetry's makes JSON of itself for each span that is exported."""

    def __hash__(self) -> int:
        return id(self)


def _above(trace_id: int) -> TraceContext:
    return TraceContext(f"{trace_id:032x}", "", sampled=True)


def _context(trace: TraceContext) -> SpanContext:
    return SpanContext(
        int(trace.trace_id, 16),
        int(trace.span_id, 16),
        True,  # noqa: FBT003 - whether it is remote
        _RECORDED if trace.sampled else _NOT_RECORDED,
        _state(trace.state),
    )


@lru_cache(_KEPT_STATES)
def _state(text: str) -> TraceState:
    """Return what OpenTelemetry makes of a state. All spans of a trace have the same, so it is made once."""
    return TraceState.from_header([text])
