"""What is seen of calls from outside: each is counted by its end and measured, whichever end that is.

Only one that was let in is traced: who may not call does not decide what is recorded.
"""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import grpc
from prometheus_client import Counter

from sagakit.runtime import logs, metrics
from sagakit.trace_context import TraceContext, recorded, trace_of
from sagakit.tracing import calls

if TYPE_CHECKING:
    from sagakit.tracing.spans import Span

_CLOSE_SECONDS = 0.005
_CLOSE_SHARE = 0.02
"""A client gives up at its deadline a little before the server's clock shows it: grpc rounds the time that it sends."""
_OF_GRPC = "grpc."
"""The package of gRPC's own services, health and reflection. Probes ask them all the time, and nothing follows."""
_Context = grpc.aio.ServicerContext[Any, Any]


class Observed:
    """Counts the calls of one method."""

    def __init__(self, method: str) -> None:
        """Count the calls of ``method``, ``/bank.v1.Transfers/Add``, by its short name."""
        self.name = method.lstrip("/")
        self.traced = not self.name.startswith(_OF_GRPC)
        self.method = method = method.rpartition("/")[2]
        self._answered = metrics.RPCS.labels(method, grpc.StatusCode.OK.name)
        self.seconds = metrics.RPC_SECONDS.labels(method)

    def call(self, context: _Context) -> "Call":
        """Return the block of one call: at its end the call is counted and measured, once."""
        return Call(self, context)

    def ended(self, code: str) -> Counter:
        """Return what counts the calls that end with ``code``."""
        return self._answered if code == grpc.StatusCode.OK.name else metrics.RPCS.labels(self.method, code)


class Call:
    """One call, from its begin to its end."""

    __slots__ = ("_began", "_began_at", "_context", "_of", "_recorded", "_span", "_trace")

    def __init__(self, of: Observed, context: _Context) -> None:
        """Observe a call ``of`` that method."""
        self._of, self._context = of, context
        self._span: Span | None = None
        self._trace: TraceContext | None = None
        self._recorded: str | None = None

    def __enter__(self) -> Self:
        """Begin to measure."""
        self._began, self._began_at = time.perf_counter(), time.time_ns()
        self._trace = trace_of(self._context.invocation_metadata() or ())
        logs.speak_of(self._said)
        return self

    def let_in(self) -> None:
        """Trace the call, if its trace is recorded: its caller is allowed to make it, and is within all limits."""
        if self._of.traced:
            self._span, self._trace = calls.begin(self._of.name, self._trace, self._began_at)
            self._recorded = recorded(self._trace)

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        """Count it by its end."""
        seconds = time.perf_counter() - self._began
        code = _code(self._context, error, seconds)
        calls.end(self._span, code)
        self._of.ended(code).inc()
        self._of.seconds.observe(seconds, metrics.exemplar(self._recorded))

    def _said(self, _: Mapping[str, Any]) -> Mapping[str, object]:
        """Return what a line says of this call."""
        return {"method": self._of.method} | ({"trace_id": self._trace.trace_id} if self._trace else {})


def _code(context: _Context, error: BaseException | None, seconds: float) -> str:
    """Return the name of the code by which a call of so many ``seconds`` ended; ``error`` has ended it, if any has."""
    said: object = context.code()  # what was aborted has one, and what set one itself; None otherwise
    if isinstance(said, grpc.StatusCode):
        return said.name
    if error is None:
        return grpc.StatusCode.OK.name
    left: float | None = context.time_remaining()
    if left is not None and left <= _CLOSE_SECONDS + seconds * _CLOSE_SHARE:
        return grpc.StatusCode.DEADLINE_EXCEEDED.name
    if isinstance(error, asyncio.CancelledError | grpc.aio.BaseError):  # its client is gone, or this server stops
        return grpc.StatusCode.CANCELLED.name
    return grpc.StatusCode.UNKNOWN.name
