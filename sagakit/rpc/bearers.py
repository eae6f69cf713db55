"""Who calls, by the token that a call bears, and what an address pays for tokens that are not good.

To verify a token takes up to four tenths of a millisecond of the one event loop, and anyone can make up tokens that
have to be verified. So a token that is not known yet costs its address as much as twenty calls, before it is looked at.
A good one gives that back, and is known from then on.
"""

from typing import Any

import grpc

from sagakit.errors import Exhausted, Unauthenticated
from sagakit.rpc.callers import Caller
from sagakit.rpc.quotas import Quotas, address_of
from sagakit.rpc.tokens import INVALID, Tokens

MISSING = "TOKEN_MISSING"
TOO_MANY = "TOO_MANY_BAD_TOKENS"
BAD_TOKEN_COUNTS_AS = 20
"""Calls. So by the default quotas 500 bad tokens of an address are verified in a second, in 200 ms at most."""


class Bearers:
    """Finds out who calls a server; for its event loop alone."""

    def __init__(self, tokens: Tokens, quotas: Quotas) -> None:
        """Verify by ``tokens``; an address pays out of its bucket of ``quotas``."""
        self._tokens, self._quotas = tokens, quotas

    async def caller_of(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Return who makes the call of ``context``.

        Raises:
            Unauthenticated: it bears no good token.
            Exhausted: its address has sent too many that were not good, and this one is not known; it is not looked at.
            Unavailable: the issuer's keys are not known yet.
        """
        address = address_of(context.peer())
        try:
            token = _token(context)
            known = await self._tokens.remembered(token)
        except Unauthenticated:
            self._take(address, 1)
            raise
        return known or await self._verified(token, address)

    async def _verified(self, token: str, address: str) -> Caller:
        self._take(address, BAD_TOKEN_COUNTS_AS)
        pays = False
        try:
            return await self._tokens.verified(token)
        except Unauthenticated:
            pays = True
            raise
        finally:
            if not pays:
                self._quotas.give_back(address, BAD_TOKEN_COUNTS_AS)

    def _take(self, address: str, tokens: int) -> None:
        try:
            self._quotas.spend(address, tokens)
        except Exhausted as error:
            raise Exhausted(
                TOO_MANY,
                "too many calls with bad tokens have come from your address; nothing was done, and this call's token "
                f"was not looked at, try again in {error.retry_seconds:.1f} s",
                retry_seconds=error.retry_seconds,
            ) from None


def _token(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    values = [value for name, value in context.invocation_metadata() or () if name == "authorization"]
    if not values:
        raise Unauthenticated(MISSING, "a token is needed: send the metadata `authorization: Bearer TOKEN`")
    scheme, _, token = str(values[0]).partition(" ")
    if len(values) > 1 or scheme.lower() != "bearer":
        raise Unauthenticated(INVALID, "the metadata must be once `authorization: Bearer TOKEN`")
    return token.strip()
