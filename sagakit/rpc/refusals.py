"""Calls that are refused for who makes them: counted by reason, and logged, a line a second at most.

So an operator sees who tries what is not his: without a token, with a bad one, without the scope, or for something that
is another's. The guard notes what a call ends with. A method that answers each item of a list by itself notes those
that it refuses so.
"""

import time
from typing import Any

import grpc
from prometheus_client import Counter

from sagakit.errors import Denied, Exhausted, Hidden, Unauthenticated
from sagakit.rpc.bearers import MISSING, TOO_MANY
from sagakit.rpc.tokens import EXPIRED, INVALID, NOT_YET_VALID
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero

log = logger("rpc")

CALLERS_REFUSED = Counter(
    "sagakit_rpc_callers_refused_total", "Calls, and items of lists, refused for who makes them.", ["reason"]
)
"""A service begins the reasons of its own at zero."""
_REASONS = (MISSING, INVALID, EXPIRED, NOT_YET_VALID, TOO_MANY, "SCOPE_MISSING", "NO_USER", "CLIENT_NOT_ALLOWED")
begin_at_zero(CALLERS_REFUSED, _REASONS)
_LOG_SECONDS = 1.0
"""Between two lines about refused callers; each says how many there were since the one before."""


def note(method: str, error: Exception, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Count and log ``error``, with which ``method``, by its short name, refuses a call, or an item of its list.

    Errors that have nothing to do with who calls are passed over. The log tells the first of the error's notes, if it
    has some, and else its text: who makes an error whose text tells of people gives it a note that does not.
    """
    if reason := _reason(error):
        CALLERS_REFUSED.labels(reason).inc()
        _lines.note(method, reason, error, context.peer())


def _reason(error: Exception) -> str:
    if isinstance(error, Hidden):
        return error.because
    if isinstance(error, Unauthenticated | Denied) or (isinstance(error, Exhausted) and error.reason == TOO_MANY):
        return error.reason
    return ""


class _Lines:
    """Writes at most one line a second, however many are refused."""

    def __init__(self) -> None:
        self._next, self._since = 0.0, 0

    def note(self, method: str, reason: str, error: Exception, peer: str) -> None:
        self._since += 1
        if (now := time.monotonic()) < self._next:
            return
        why = next(iter(getattr(error, "__notes__", ())), str(error))
        log.info("caller refused", method=method, reason=reason, why=why, peer=peer, times=self._since)
        self._next, self._since = now + _LOG_SECONDS, 0


_lines = _Lines()
