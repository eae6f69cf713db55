"""The gate in front of a service's methods: it finds out who calls, and lets in who may."""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from prometheus_client import Counter

from sagakit.errors import Denied, Exhausted, Unauthenticated
from sagakit.rpc.bearers import MISSING, TOO_MANY, Bearers
from sagakit.rpc.callers import ANYONE, NOBODY, Caller, make_current
from sagakit.rpc.tokens import EXPIRED, INVALID, NOT_YET_VALID
from sagakit.runtime.logs import logger
from sagakit.runtime.metrics import begin_at_zero

log = logger("rpc")

_REFUSED = Counter("sagakit_rpc_callers_refused_total", "Calls refused for who makes them.", ["reason"])
begin_at_zero(_REFUSED, (MISSING, INVALID, EXPIRED, NOT_YET_VALID, TOO_MANY, "SCOPE_MISSING"))
_LOG_SECONDS = 1.0
"""Between two lines about refused callers; each says how many there were since the one before."""

Context = grpc.aio.ServicerContext[Any, Any]
Entrance = Callable[[Context], Awaitable[Caller]]
_Refusal = Unauthenticated | Denied | Exhausted


class Gate:
    """Decides who may call the methods of one service."""

    def __init__(self, bearers: Bearers | None, scopes: Mapping[str, str] | None = None) -> None:
        """Find out by ``bearers`` who calls; where that is None, anyone may call anything.

        ``scopes`` has the scope that each method asks for, by its short name; a method without one is closed. Where it
        is None, any valid token will do.
        """
        self._bearers, self._scopes = bearers, scopes

    def entrance(self, method: str) -> Entrance:
        """Return the function that lets callers of ``method``, by its short name, in.

        It returns who calls, after making that the current caller; it does that too where the caller may not.

        Raises:
            Unauthenticated: the function does, where there is no valid token.
            Denied: the function does, where the token is not good for this.
            Exhausted: the function does, where too many bad tokens have come from the same address.
        """
        if self._bearers is None:
            return _let_in
        if self._scopes is not None and method not in self._scopes:
            return _let_nobody_in
        bearers, scope = self._bearers, self._scopes[method] if self._scopes else None

        async def enter(context: Context) -> Caller:
            try:
                caller = await bearers.caller_of(context)
                make_current(caller)
                if scope is not None:
                    caller.must_have(scope)
            except (Unauthenticated, Denied, Exhausted) as refused:
                _note(method, refused, context)
                raise
            return caller

        return enter


ALWAYS_OPEN = Gate(None)
"""For what probes ask, who have no token."""


async def _let_in(_: Context) -> Caller:
    make_current(ANYONE)
    return ANYONE


async def _let_nobody_in(_: Context) -> Caller:
    make_current(NOBODY)
    raise Denied("SCOPE_MISSING", "this method has no scope, so nobody may call it")


class _Lines:
    """Writes at most one line a second, however many are refused."""

    def __init__(self) -> None:
        self._next, self._since = 0.0, 0

    def note(self, method: str, refused: _Refusal, peer: str) -> None:
        self._since += 1
        if (now := time.monotonic()) < self._next:
            return
        why = next(iter(getattr(refused, "__notes__", ())), str(refused))
        log.info("caller refused", method=method, reason=refused.reason, why=why, peer=peer, times=self._since)
        self._next, self._since = now + _LOG_SECONDS, 0


_lines = _Lines()


def _note(method: str, refused: _Refusal, context: Context) -> None:
    _REFUSED.labels(refused.reason).inc()
    _lines.note(method, refused, context.peer())
