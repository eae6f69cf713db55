"""Thousands of calls at once: each is answered, or asked to try again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message

from devstack.ports import free_port
from sagakit.rpc import quotas
from sagakit.rpc.callers import Caller, make_current
from sagakit.rpc.gate import ALWAYS_OPEN, Entrance, Gate
from sagakit.rpc.guard import Calls, Context, Guard
from sagakit.rpc.quotas import Quotas
from tests.support.echo import Echo, call
from tests.support.rpc import refusal

CALLS = 4000
CHANNELS = 50


async def test_a_crowd_that_comes_before_anybody_takes_calls_up_is_answered() -> None:
    async with Echo() as echo:
        with ExitStack() as stack:
            own = [("grpc.use_local_subchannel_pool", 1)]
            channels = [
                stack.enter_context(grpc.insecure_channel(str(echo.address), options=own)) for _ in range(CHANNELS)
            ]
            for channel in channels:
                await asyncio.to_thread(grpc.channel_ready_future(channel).result, 10)
            # Making the calls keeps the server's event loop busy: gRPC has to hold all of them meanwhile.
            calls = [call(channels[n % CHANNELS]).future(Message(), timeout=60) for n in range(CALLS)]
            answers = await asyncio.to_thread(lambda: Counter(one.code() for one in calls))
    assert answers == {grpc.StatusCode.OK: CALLS}


async def test_a_call_too_many_may_be_tried_again_and_does_nothing() -> None:
    done: list[str] = []
    go_on = asyncio.Event()

    async def wait(request: Message, _: Context) -> Message:
        done.append(request.service)
        await go_on.wait()
        return request

    async def stream(request: Message, context: Context) -> AsyncIterator[Message]:
        yield await wait(request, context)

    codec = (Message.FromString, Message.SerializeToString)
    methods = {
        "Call": grpc.unary_unary_rpc_method_handler(wait, *codec),
        "Quiet": grpc.unary_stream_rpc_method_handler(stream, *codec),
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (Guard(grpc.method_handlers_generic_handler("echo", methods), Calls(most=2), ALWAYS_OPEN),)
    )
    port = server.add_insecure_port(f"127.0.0.1:{free_port()}")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        first, second = call(channel)(Message(service="1")), call(channel, "Quiet")(Message(service="2"))
        async with asyncio.timeout(10):
            while len(done) < 2:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as other:
            third, fourth = call(other), call(other, "Quiet")
            for refused in (lambda: third(Message(service="3")), lambda: next(fourth(Message(service="4")))):
                status = await asyncio.to_thread(refusal, refused)
                assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
                assert status.retry_seconds
        go_on.set()
        assert [(await first).service, (await second.read()).service] == ["1", "2"]
        assert (await call(channel)(Message(service="5"))).service == "5", "there is room again"
    await server.stop(None)
    assert sorted(done) == ["1", "2", "5"]


async def test_streams_of_however_many_callers_leave_room_for_calls() -> None:
    async def answer(request: Message, _: Context) -> Message:
        return request

    async def stream(request: Message, _: Context) -> AsyncIterator[Message]:
        yield request
        await asyncio.Event().wait()

    codec = (Message.FromString, Message.SerializeToString)
    methods = {
        "Call": grpc.unary_unary_rpc_method_handler(answer, *codec),
        "Quiet": grpc.unary_stream_rpc_method_handler(stream, *codec),
    }
    server = grpc.aio.server()
    calls = Calls(most=10, most_streams=2)
    server.add_generic_rpc_handlers((Guard(grpc.method_handlers_generic_handler("echo", methods), calls, ALWAYS_OPEN),))
    port = server.add_insecure_port(f"127.0.0.1:{free_port()}")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        streams = [call(channel, "Quiet")(Message(service=str(n))) for n in range(2)]
        assert [(await one.read()).service for one in streams] == ["0", "1"]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as other:
            status = await asyncio.to_thread(refusal, lambda: next(call(other, "Quiet")(Message())))
            assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_CALLS")
            assert (await asyncio.to_thread(call(other), Message(service="2"))).service == "2"
        streams[0].cancel()
        async with asyncio.timeout(10):
            while calls.under_way > 1:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)
        assert (await call(channel, "Quiet")(Message(service="3")).read()).service == "3", "there is room again"
    await server.stop(None)


class ByName(Gate):
    """Lets everybody in as who they say they are."""

    def __init__(self) -> None:
        super().__init__(None)

    def entrance(self, _: str) -> Entrance:
        async def enter(context: Context) -> Caller:
            caller = Caller(subject=str(dict(context.invocation_metadata() or ())["name"]), issuer="")
            make_current(caller)
            return caller

        return enter


async def refused_beside(method: str, of_each: Quotas) -> tuple[int, list[str]]:
    """Have ann call ``method`` eight times at once, slowly; return how often she is refused, and what goes on beside.

    That is the same method of bob's, and another method of ann's.
    """
    go_on = asyncio.Event()

    async def wait(request: Message, _: Context) -> Message:
        if request.service == "slow":
            await go_on.wait()
        return request

    def made(of: str, text: str, name: str) -> Any:
        invoke = channel.unary_unary(f"/echo/{of}", *codec[::-1])
        return invoke(Message(service=text), metadata=(("name", name),), timeout=20)

    codec = (Message.FromString, Message.SerializeToString)
    methods = {of: grpc.unary_unary_rpc_method_handler(wait, *codec) for of in ("Call", "ListThings")}
    server, calls = grpc.aio.server(), Calls(most=12, quotas=of_each)
    server.add_generic_rpc_handlers((Guard(grpc.method_handlers_generic_handler("echo", methods), calls, ByName()),))
    port = server.add_insecure_port(f"127.0.0.1:{free_port()}")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        waiting = [asyncio.ensure_future(made(method, "slow", "ann")) for _ in range(8)]
        done, _ = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        assert {one.exception().code() for one in done} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        (other,) = methods.keys() - {method}
        beside = [(await made(method, "bob's", "bob")).service, (await made(other, "another", "ann")).service]
        go_on.set()
        ends = await asyncio.gather(*waiting, return_exceptions=True)
        assert (await made(method, "again", "ann")).service == "again", "there is room again"
    await server.stop(None)
    return sum(isinstance(one, grpc.aio.AioRpcError) for one in ends), beside


@pytest.mark.parametrize("method", ["Call", "ListThings"])
async def test_one_caller_s_calls_under_way_leave_room_for_another_s(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(quotas, "_MOST_LISTS", 3)
    assert await refused_beside(method, Quotas(1000, 2000, 10, most_calls=3)) == (5, ["bob's", "another"])
