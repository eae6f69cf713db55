"""The gate in front of a service's methods: it finds out who calls, and lets in who may."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc

from sagakit.errors import Denied
from sagakit.rpc.bearers import Bearers
from sagakit.rpc.callers import ANYONE, NOBODY, Caller, make_current

Context = grpc.aio.ServicerContext[Any, Any]
Entrance = Callable[[Context], Awaitable[Caller]]


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
            caller = await bearers.caller_of(context)
            make_current(caller)
            if scope is not None:
                caller.must_have(scope)
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
