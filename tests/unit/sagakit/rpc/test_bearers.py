"""Bad tokens cost whoever sends them more than they cost the server, and nobody who is known."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message

from sagakit.rpc import local_issuer
from tests.support.echo import Echo, call
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, assembled, good_claims, issuing, signed
from tests.support.rpc import Refusal, refusal_of_aio

PER_SECOND = 20
"""What a bad token takes, so that one is verified each second, and two at once."""


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


@asynccontextmanager
async def closed(issuer: Issuer) -> AsyncIterator[tuple[Echo, grpc.aio.Channel]]:
    settings: dict[str, Any] = {"auth_issuer": ISSUER, "auth_audience": AUDIENCE, "auth_jwks_url": issuer.url}
    quota: dict[str, Any] = {"auth_mode": "jwt", "grpc_caller_calls_per_second": float(PER_SECOND)}
    echo = Echo(scopes={"Call": "echo:call"}, **settings, **quota)
    async with echo, grpc.aio.insecure_channel(str(echo.address)) as channel:
        yield echo, channel


async def made(channel: grpc.aio.Channel, token: str | None) -> Refusal | None:
    """Make a call with ``token``; return how it was refused, None where it was answered."""
    metadata: Any = (("authorization", f"Bearer {token}"),) if token is not None else ()
    try:
        await call(channel)(Message(), metadata=metadata, timeout=20)
    except grpc.aio.AioRpcError as error:
        return refusal_of_aio(error)
    return None


def forged(issuer: Issuer, number: int) -> str:
    """Return a token that has to be verified, because it names a key of the issuer."""
    return assembled({"alg": "ES256", "kid": issuer.key.kid, "jti": number}, good_claims(), b"x" * 64)


async def reasons(channel: grpc.aio.Channel, tokens: list[str | None]) -> list[str]:
    return [refused.reason if (refused := await made(channel, token)) else "" for token in tokens]


async def test_an_address_that_sends_bad_tokens_is_told_to_wait_and_they_are_not_looked_at(issuer: Issuer) -> None:
    async with closed(issuer) as (echo, channel):
        found = await reasons(channel, [forged(issuer, number) for number in range(10)])
        assert set(found[:2]) == {"TOKEN_INVALID"}, "as many as the bucket holds"
        assert set(found[-3:]) == {"TOO_MANY_BAD_TOKENS"}
        refused = await made(channel, forged(issuer, 10))
        assert refused is not None
        assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert refused.retry_seconds is not None
        assert 0 < refused.retry_seconds <= 1
        assert echo.called == 0


async def test_whoever_is_known_is_answered_whatever_comes_from_the_same_address(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        known = issuer.token("7", "echo:call")
        assert await made(channel, known) is None
        assert (await reasons(channel, [forged(issuer, number) for number in range(5)]))[-1] == "TOO_MANY_BAD_TOKENS"
        assert await made(channel, known) is None
        new = issuer.token("8", "echo:call")
        refused = await made(channel, new)
        assert refused is not None
        assert refused.retry_seconds is not None, "nobody can tell a good token from a bad one without looking at it"
        await asyncio.sleep(refused.retry_seconds)
        assert await made(channel, new) is None


async def test_good_tokens_cost_their_address_nothing(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        tokens: list[str | None] = [issuer.token(str(subject), "echo:call") for subject in range(1, 31)]
        assert set(await reasons(channel, tokens)) == {""}


async def test_while_the_issuer_is_away_nobody_pays_for_tokens_that_cannot_be_verified(issuer: Issuer) -> None:
    issuer.away = True
    async with closed(issuer) as (_, channel):
        found = await reasons(channel, [signed(local_issuer.make_key(), "7", "echo:call") for _ in range(10)])
        assert set(found) == {"UNAVAILABLE"}


async def test_who_shows_no_token_has_nothing_verified_and_pays_for_a_call(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        assert set(await reasons(channel, [None] * 30)) == {"TOKEN_MISSING"}
