"""Every call is counted by its end and measured, whatever that is; a real server and a real client show it."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NamedTuple, Self

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from sagakit.errors import Denied, Exhausted, NotFound, Unauthenticated
from sagakit.rpc import guard
from sagakit.rpc.callers import Caller
from sagakit.rpc.gate import ALWAYS_OPEN, Entrance, Gate
from sagakit.rpc.guard import Calls, Context, Guard
from sagakit.runtime import logs
from tests.support.lines import lines
from tests.support.wait import eventually

log = logs.logger("test")

METHODS = ("ObservedCall", "ObservedStream", "ObservedDialogue")
CODEC = (Message.FromString, Message.SerializeToString)
GARBLED = "garbled"
"""What a client says in bytes that are no request."""


class Counts(NamedTuple):
    """What the metrics say of one method."""

    ended: Mapping[str, float]
    """Calls by the code that ended them; codes without a call are left out."""
    measured: float
    """Calls whose duration was measured."""


def counts(method: str) -> Counts:
    (ended,) = [family for family in REGISTRY.collect() if family.name == "sagakit_rpcs"]
    samples = [one for one in ended.samples if one.labels.get("method") == method and one.name.endswith("_total")]
    measured = REGISTRY.get_sample_value("sagakit_rpc_seconds_count", {"method": method}) or 0
    return Counts({one.labels["code"]: one.value for one in samples if one.value}, measured)


def since(before: Counts, method: str) -> Counts:
    now = counts(method)
    ended = {code: times - before.ended.get(code, 0) for code, times in now.ended.items()}
    return Counts({code: times for code, times in ended.items() if times}, now.measured - before.measured)


class Server:
    """Methods of every kind that do ``behaves`` with each message, behind the guard."""

    def __init__(self, gate: Gate = ALWAYS_OPEN, calls: Calls | None = None) -> None:
        self._server = grpc.aio.server()
        methods = {
            "ObservedCall": grpc.unary_unary_rpc_method_handler(self._call, *CODEC),
            "ObservedStream": grpc.unary_stream_rpc_method_handler(self._stream, *CODEC),
            "ObservedDialogue": grpc.stream_stream_rpc_method_handler(self._dialogue, *CODEC),
        }
        service = grpc.method_handlers_generic_handler("echo", methods)
        self._server.add_generic_rpc_handlers((Guard(service, calls or Calls(), gate),))
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self.reached = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(None)

    async def stop(self) -> None:
        await self._server.stop(None)

    async def _call(self, request: Message, context: Context) -> Message:
        await self._behave(request, context)
        return request

    async def _stream(self, request: Message, context: Context) -> AsyncIterator[Message]:
        await self._behave(request, context)
        yield request
        if request.service == "endless":
            while True:
                yield Message(service="x" * 100_000)

    async def _dialogue(self, requests: AsyncIterator[Message], context: Context) -> AsyncIterator[Message]:
        async for request in requests:
            await self._behave(request, context)
            yield request

    async def _behave(self, request: Message, context: Context) -> None:
        self.reached.set()
        match request.service:
            case "wait":
                await asyncio.Event().wait()
            case "refuse":
                raise NotFound("NOTHING", "there is nothing")
            case "abort":
                await context.abort(grpc.StatusCode.OUT_OF_RANGE, "so far and no further")
            case "log":
                log.info("a fact")
            case "fail":
                raise KeyError("unforeseen")


def _traced(trace: str | None) -> grpc.aio.Metadata:
    return grpc.aio.Metadata(*([("traceparent", trace)] if trace else []))


def _written(message: Message) -> bytes:
    return b"\xff" if message.service == GARBLED else message.SerializeToString()


def made(
    channel: grpc.aio.Channel, method: str, said: str, timeout: float | None = None, trace: str | None = None
) -> Any:
    """Make a call of ``method`` that says one word; a dialogue that has none to say is kept open."""
    options: Any = {"timeout": timeout, "metadata": _traced(trace)}
    path, codec = f"/echo/{method}", (_written, Message.FromString)
    if method == "ObservedCall":
        return channel.unary_unary(path, *codec)(Message(service=said), **options)
    if method == "ObservedStream":
        return channel.unary_stream(path, *codec)(Message(service=said), **options)

    async def words() -> AsyncIterator[Message]:
        if not said:
            await asyncio.Event().wait()
        yield Message(service=said)

    return channel.stream_stream(path, *codec)(words(), **options)


async def ended(call: Any) -> grpc.StatusCode:
    """Read all that comes, and return the code that the client gets."""
    try:
        if isinstance(call, grpc.aio.UnaryUnaryCall):
            await call
        else:
            async for _ in call:
                pass
    except grpc.aio.AioRpcError:
        pass
    code: grpc.StatusCode = await call.code()
    return code


async def counted(before: Counts, method: str, code: str) -> None:
    """See that one call has ended since, with ``code``, and was measured."""

    def look() -> None:
        assert since(before, method) == Counts({code: 1}, 1)

    await asyncio.to_thread(eventually, look)


SAID = {"answer": "OK", "refuse": "NOT_FOUND", "abort": "OUT_OF_RANGE", "fail": "INTERNAL"}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("said", SAID)
async def test_a_call_is_counted_by_the_code_that_its_client_gets(method: str, said: str) -> None:
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        assert (await ended(made(channel, method, said))).name == SAID[said]
        await counted(before, method, SAID[said])


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_its_client_cancels_is_counted_as_cancelled(method: str) -> None:
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        call = made(channel, method, "wait", timeout=60)
        await asyncio.wait_for(server.reached.wait(), 10)
        call.cancel()
        await counted(before, method, "CANCELLED")


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_whose_deadline_passes_is_counted_so(method: str) -> None:
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        assert await ended(made(channel, method, "wait", timeout=1.237)) is grpc.StatusCode.DEADLINE_EXCEEDED
        await counted(before, method, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_that_a_stop_cuts_off_is_counted(method: str) -> None:
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        call = made(channel, method, "wait")
        await asyncio.wait_for(server.reached.wait(), 10)
        await server.stop()
        await ended(call)
        await counted(before, method, "CANCELLED")


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_whose_time_is_over_before_it_begins_is_counted(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "_LEAST_SECONDS", 3600)
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        assert await ended(made(channel, method, "answer", timeout=60)) is grpc.StatusCode.DEADLINE_EXCEEDED
        await counted(before, method, "DEADLINE_EXCEEDED")


REFUSALS: list[tuple[Callable[[], Exception], str]] = [
    (lambda: Unauthenticated("NO_TOKEN", "show a token"), "UNAUTHENTICATED"),
    (lambda: Denied("SCOPE_MISSING", "not with this token"), "PERMISSION_DENIED"),
    (lambda: Exhausted("TOO_MANY_BAD_TOKENS", "too many"), "RESOURCE_EXHAUSTED"),
]


class Closed(Gate):
    """Lets nobody in."""

    def __init__(self, refusal: Callable[[], Exception]) -> None:
        super().__init__(None)
        self._refusal = refusal

    def entrance(self, method: str) -> Entrance:  # noqa: ARG002 - as the gate has it
        async def refuse(_: Context) -> Caller:
            raise self._refusal()

        return refuse


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("refusal", "code"), REFUSALS, ids=[code for _, code in REFUSALS])
async def test_a_call_of_a_refused_caller_is_counted(method: str, refusal: Callable[[], Exception], code: str) -> None:
    before = counts(method)
    async with Server(Closed(refusal)) as server, grpc.aio.insecure_channel(server.address) as channel:
        # The client says nothing: where it writes while it is refused, gRPC's own sometimes calls that INTERNAL.
        assert (await ended(made(channel, method, ""))).name == code
        await counted(before, method, code)


@pytest.mark.parametrize("method", METHODS)
async def test_a_call_too_many_is_counted(method: str) -> None:
    before = counts(method)
    async with Server(calls=Calls(most=0)) as server, grpc.aio.insecure_channel(server.address) as channel:
        assert await ended(made(channel, method, "answer")) is grpc.StatusCode.RESOURCE_EXHAUSTED
        await counted(before, method, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize("method", METHODS)
async def test_bytes_that_are_no_request_are_counted(method: str) -> None:
    before = counts(method)
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        call = made(channel, method, GARBLED)
        assert await ended(call) is grpc.StatusCode.INVALID_ARGUMENT
        await counted(before, method, "INVALID_ARGUMENT")


async def test_a_stream_that_nobody_reads_is_counted_by_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_READ_SECONDS", 0.3)
    monkeypatch.setattr(guard, "_FAREWELL_SECONDS", 0.3)
    before = counts("ObservedStream")
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        call = made(channel, "ObservedStream", "endless")
        await counted(before, "ObservedStream", "UNAVAILABLE")
        call.cancel()


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize("method", METHODS)
async def test_a_line_of_a_call_names_its_method_and_its_trace(method: str) -> None:
    with lines() as said:
        async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
            for trace in (f"00-{TRACE}-00f067aa0ba902b7-00", "rubbish", None):
                await ended(made(channel, method, "log", trace=trace))
    assert [(one["method"], one.get("trace_id")) for one in said] == [(method, TRACE), (method, None), (method, None)]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("flags", "shown"), [("01", True), ("00", False)])
async def test_a_duration_leads_to_the_calls_trace_where_that_is_recorded(method: str, flags: str, shown: bool) -> None:
    trace = f"{uuid.uuid4().hex}"
    async with Server() as server, grpc.aio.insecure_channel(server.address) as channel:
        await ended(made(channel, method, "answer", trace=f"00-{trace}-00f067aa0ba902b7-{flags}"))
    page = generate_latest(REGISTRY).decode().splitlines()  # type: ignore[no-untyped-call]
    buckets = [line for line in page if line.startswith("sagakit_rpc_seconds_bucket") and f'method="{method}"' in line]
    assert any(trace in line for line in buckets) is shown
