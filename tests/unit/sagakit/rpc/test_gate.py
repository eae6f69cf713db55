"""A call is let in by its token before anything else is looked at, and a stream ends with its token."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from ordersaga.auth.v1.scope_pb2 import scope
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from sagakit.errors import Denied, Hidden, NotFound
from sagakit.rpc import callers, refusals
from sagakit.rpc.reflection import NAMES
from sagakit.rpc.scopes import MethodWithoutScope, scopes_of
from tests.support.echo import Echo, call
from tests.support.issuer import AUDIENCE, ISSUER, Issuer, issuing
from tests.support.rpc import Refusal, refusal_of_aio
from tests.support.wait import eventually

SCOPES = {"Call": "echo:call", "Quiet": "echo:watch", "Endless": "echo:watch", "Dialogue": "echo:watch"}


def with_token(token: str) -> dict[str, Any]:
    return {"metadata": (("authorization", f"Bearer {token}"),), "timeout": 20}


@asynccontextmanager
async def closed(issuer: Issuer, **settings: Any) -> AsyncIterator[tuple[Echo, grpc.aio.Channel]]:
    jwt = {"auth_mode": "jwt", "auth_issuer": ISSUER, "auth_audience": AUDIENCE, "auth_jwks_url": issuer.url}
    echo = Echo(**{"scopes": SCOPES, "auth_leeway_seconds": 0, **jwt, **settings})
    async with echo, grpc.aio.insecure_channel(str(echo.address)) as channel:
        yield echo, channel


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with issuing() as running:
        yield running


async def refused(answer: Any) -> Refusal:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await answer
    return refusal_of_aio(caught.value)


async def test_a_caller_without_a_token_is_unknown_and_nothing_is_done(issuer: Issuer) -> None:
    async with closed(issuer) as (echo, channel):
        refusal = await refused(call(channel)(Message(), timeout=20))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
        assert echo.called == 0


@pytest.mark.parametrize("method", SCOPES)
async def test_each_kind_of_method_asks_for_its_scope(issuer: Issuer, method: str) -> None:
    async with closed(issuer) as (echo, channel):
        for token, code, reason in (
            ("nonsense", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
            (issuer.token("7", "echo:other"), grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING"),
        ):
            made = call(channel, method)
            asked = made(iter([Message()]) if method == "Dialogue" else Message(), **with_token(token))
            refusal = await refused(asked if method == "Call" else asked.read())
            assert (refusal.code, refusal.reason) == (code, reason)
        assert (echo.called, echo.open) == (0, 0)
        good = with_token(issuer.token("7", SCOPES[method]))
        answer = call(channel, method)(iter([Message()]) if method == "Dialogue" else Message(), **good)
        assert await (answer if method == "Call" else answer.read()) is not None


async def test_who_lacks_the_scope_may_not_call_without_end(issuer: Issuer) -> None:
    async with closed(issuer, grpc_caller_calls_per_second=5.0) as (echo, channel):
        token = with_token(issuer.token("7", "echo:other"))
        reasons = [(await refused(call(channel)(Message(), **token))).reason for _ in range(30)]
        assert reasons[0] == "SCOPE_MISSING"
        assert "TOO_MANY_CALLS_OF_ONE_CALLER" in reasons
        await call(channel)(Message(), **with_token(issuer.token("8", "echo:call")))
        assert echo.called == 1, "others at the same address still may"


async def test_a_bad_request_of_an_unknown_caller_is_not_even_read(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        raw: Any = channel.unary_unary("/echo/Call")
        assert (await refused(raw(b"\xff\xff", timeout=20))).reason == "TOKEN_MISSING"
        good = with_token(issuer.token("7", "echo:call"))
        assert (await refused(raw(b"\xff\xff", **good))).code is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("form", ["Basic {}", "{}", "Bearer", "Bearer {} x", "Bearer: {}"])
async def test_what_is_no_bearer_token_is_refused(issuer: Issuer, form: str) -> None:
    async with closed(issuer) as (_, channel):
        metadata = (("authorization", form.format(issuer.token("7", "echo:call"))),)
        assert (await refused(call(channel)(Message(), metadata=metadata, timeout=20))).reason == "TOKEN_INVALID"


async def test_two_tokens_are_one_too_many(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        token = issuer.token("7", "echo:call")
        metadata = tuple(("authorization", f"Bearer {one}") for one in (token, token))
        assert (await refused(call(channel)(Message(), metadata=metadata, timeout=20))).reason == "TOKEN_INVALID"


async def test_a_method_that_says_nothing_of_who_may_call_it_is_closed(issuer: Issuer) -> None:
    async with closed(issuer, scopes={"Call": "echo:call"}) as (echo, channel):
        metadata = with_token(issuer.token("7", "echo:watch", "echo:call", scp=["", "None"]))
        refusal = await refused(call(channel, "Quiet")(Message(), **metadata).read())
        assert (refusal.code, echo.open) == (grpc.StatusCode.PERMISSION_DENIED, 0)


async def test_health_is_for_anyone_and_reflection_for_whoever_has_a_token(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        check: Any = channel.unary_unary("/grpc.health.v1.Health/Check")
        assert await check(b"", timeout=20)
        for name in NAMES:
            ask: Any = channel.stream_stream(f"/{name}/ServerReflectionInfo")
            assert (await refused(ask(iter([b""]), timeout=20).read())).reason == "TOKEN_MISSING"
            assert await ask(iter([b""]), **with_token(issuer.token())).read()


@pytest.mark.parametrize("method", ["Quiet", "Endless", "Dialogue"])
async def test_a_stream_ends_when_its_token_expires(issuer: Issuer, method: str) -> None:
    async with closed(issuer) as (echo, channel):
        short = with_token(issuer.token("7", "echo:watch", exp=time.time() + 2))
        stream = call(channel, method)(endless() if method == "Dialogue" else Message(), **short)
        assert await stream.read()

        async def to_the_end() -> None:
            while True:
                await stream.read()

        refusal = await refused(to_the_end())
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
        await asyncio.to_thread(eventually, lambda: must_be_none(echo.open), 5.0)


def must_be_none(streams: int) -> None:
    assert streams == 0


async def endless() -> AsyncIterator[Message]:
    yield Message()
    await asyncio.Event().wait()


async def test_a_stream_of_a_token_that_lives_long_goes_on(issuer: Issuer) -> None:
    async with closed(issuer) as (_, channel):
        stream = call(channel, "Quiet")(Message(), **with_token(issuer.token("7", "echo:watch", exp=250_000_000_000)))
        assert await stream.read()
        stream.cancel()


async def test_a_method_can_ask_who_calls(issuer: Issuer) -> None:
    seen: list[callers.Caller] = []
    async with closed(issuer) as (echo, channel):
        echo.on_call = lambda: seen.append(callers.current())
        for subject in ("7", "8"):
            await call(channel)(Message(), **with_token(issuer.token(subject, "echo:call")))
    assert [(caller.subject, caller.user_id) for caller in seen] == [("7", 7), ("8", 8)]
    with pytest.raises(LookupError):
        callers.current()


async def test_without_tokens_everybody_is_anyone() -> None:
    seen: list[callers.Caller] = []
    async with Echo() as echo, grpc.aio.insecure_channel(str(echo.address)) as channel:
        echo.on_call = lambda: seen.append(callers.current())
        await call(channel)(Message(), timeout=20)
    assert seen == [callers.ANYONE]
    assert seen[0].may("whatever")


async def test_each_subject_has_a_share_of_its_own_and_who_shows_no_token_has_that_of_the_address(
    issuer: Issuer,
) -> None:
    exhausted = grpc.StatusCode.RESOURCE_EXHAUSTED

    async def until_refused(channel: grpc.aio.Channel, token: str) -> tuple[int, grpc.StatusCode]:
        for made in range(100):
            try:
                await call(channel)(Message(), **with_token(token))
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                    return made, error.code()
        return 100, grpc.StatusCode.OK

    async with closed(issuer, grpc_caller_calls_per_second=0.01, grpc_caller_streams=1) as (_, channel):
        for token in (issuer.token("7", "echo:call"), issuer.token("8", "echo:call")):
            assert await until_refused(channel, token) == (1, exhausted), token
        again = issuer.token("7", "echo:call", jti="another token of the same caller")
        assert await until_refused(channel, again) == (0, exhausted)
        assert await until_refused(channel, "forged") == (1, exhausted)


async def test_refusals_are_counted_and_a_crowd_of_them_writes_a_line_a_second(
    issuer: Issuer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refusals, "_lines", refusals._Lines())  # noqa: SLF001 - as in a process that has refused nobody yet
    name, labels = "sagakit_rpc_callers_refused_total", {"reason": "TOKEN_INVALID"}
    before = REGISTRY.get_sample_value(name, labels) or 0
    async with closed(issuer) as (_, channel):
        await asyncio.gather(*(refused(call(channel)(Message(), **with_token("forged"))) for _ in range(200)))
    assert (REGISTRY.get_sample_value(name, labels) or 0) - before == 200
    assert 1 <= capsys.readouterr().out.count("caller refused") < 20


@pytest.mark.parametrize(
    ("refused_by", "code", "counted"),
    [
        (lambda: callers.current().must_be_user(), "PERMISSION_DENIED", "NO_USER"),
        (Denied("ANOTHER_USER", "user 7 may not order for user 8"), "PERMISSION_DENIED", "ANOTHER_USER"),
        (Hidden("ORDER_NOT_FOUND", "there is no order 9", because="ANOTHER_USER"), "NOT_FOUND", "ANOTHER_USER"),
        (NotFound("ORDER_NOT_FOUND", "there is no order 9"), "NOT_FOUND", None),
    ],
    ids=["no user", "denied", "hidden", "not found"],
)
async def test_what_a_service_itself_refuses_for_who_calls_is_counted_and_logged_like_that(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, refused_by: Any, code: str, counted: str | None
) -> None:
    monkeypatch.setattr(refusals, "_lines", refusals._Lines())  # noqa: SLF001 - as in a process that has refused nobody yet

    def counts() -> dict[str, float]:
        (family,) = [one for one in REGISTRY.collect() if one.name == "sagakit_rpc_callers_refused"]
        return {one.labels["reason"]: one.value for one in family.samples if one.name.endswith("_total")}

    def refuse() -> None:
        if isinstance(refused_by, Exception):
            raise refused_by
        refused_by()

    before = counts()
    with capture_logs() as logged:
        async with closed(issuer) as (echo, channel):
            echo.on_call = refuse
            refusal = await refused(call(channel)(Message(), **with_token(issuer.token("ann", "echo:call"))))
    assert refusal.code.name == code
    assert {one: count - before.get(one, 0) for one, count in counts().items() if count != before.get(one, 0)} == (
        {counted: 1} if counted else {}
    )
    lines = [(line["reason"], line["method"]) for line in logged if line["event"] == "caller refused"]
    assert lines == ([(counted, "Call")] if counted else [])


def test_a_method_without_a_scope_is_named() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="books.proto", package="books.v1", syntax="proto3")
    file.message_type.add(name="Nothing")
    method = {"input_type": ".books.v1.Nothing", "output_type": ".books.v1.Nothing"}
    file.service.add(name="Books").method.add(name="Burn", **method)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    service = pool.FindServiceByName("books.v1.Books")
    with pytest.raises(MethodWithoutScope, match=r"books\.v1\.Books/Burn has no scope; .* books\.proto"):
        scopes_of(service, scope)
