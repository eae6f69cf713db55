"""The spans of gRPC calls: a call is the root of its trace, unless its caller has one."""

from contextvars import ContextVar

from opentelemetry.trace import SpanKind

from sagakit.trace_context import TraceContext
from sagakit.tracing.spans import Span, tracing

_OURS = {"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}
"""The codes that are a server's error by OpenTelemetry's convention; the others tell a client of its own."""
_here: ContextVar[TraceContext | None] = ContextVar("trace", default=None)


def begin(
    method: str, caller: TraceContext | None, began: int | None = None
) -> tuple[Span | None, TraceContext | None]:
    """Begin a call of ``method``, ``bank.v1.Transfers/Add``, by a ``caller`` who may make it, and note it for `here`.

    It ``began`` then, in nanoseconds of Unix time, or now. Returns its span, None where its trace is not recorded, and
    the place beneath it, None where there is no trace.
    """
    making = tracing()
    span, beneath = None, caller
    if making:
        above = caller or making.draw(method)
        if above and (above is not caller or making.records(above)):
            attributes = {"rpc.system.name": "grpc", "rpc.method": method}
            span = Span(making, method, SpanKind.SERVER, attributes, above, began=began)
            beneath = span.place
        elif caller and caller.sampled:
            beneath = caller._replace(sampled=False)
    _here.set(beneath)
    return span, beneath


def end(span: Span | None, code: str) -> None:
    """End the span of a call that ended with ``code``, a name of gRPC's."""
    if span is None:
        return
    span.note({"rpc.response.status_code": code})
    if code in _OURS:
        span.fail(code)
    span.end()


def here() -> TraceContext | None:
    """Return the place beneath the call that was let in, and is under way in this task; None where it has no trace."""
    return _here.get()
