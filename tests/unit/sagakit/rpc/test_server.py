"""The server's answers to bytes that are no request, for each kind of method, and its stop."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from grpc_health.v1.health_pb2 import HealthCheckResponse
from grpc_reflection.v1alpha import reflection_pb2

from sagakit.rpc import reflection
from sagakit.rpc.guard import Context
from sagakit.rpc.server import LIVENESS, Api, RpcServer
from sagakit.service.settings import ServiceSettings
from tests.support.served import free_address

HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
RUBBISH = b"\xff\xff"


def as_it_is(body: bytes) -> bytes:
    return body


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    listen = free_address()
    server = RpcServer(ServiceSettings.model_construct(grpc_listen=listen), [])
    await server.start()
    try:
        async with grpc.aio.insecure_channel(str(listen)) as channel:
            yield channel
    finally:
        await server.stop(0)


async def test_a_process_that_is_better_restarted_says_so_under_its_own_name() -> None:
    listen = free_address()
    server = RpcServer(ServiceSettings.model_construct(grpc_listen=listen), [])
    await server.start()
    try:
        async with grpc.aio.insecure_channel(str(listen)) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            for alive, status in ((True, HealthCheckResponse.SERVING), (False, HealthCheckResponse.NOT_SERVING)):
                await server.set_alive(alive=alive)
                assert (await health.Check(Message(service=LIVENESS))).status == status
    finally:
        await server.stop(0)


def must_be_refused(error: grpc.aio.AioRpcError) -> None:
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == ": the bytes are not the message that this call takes"


async def test_a_call_refuses_rubbish(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_unary(f"{HEALTH}/Check", as_it_is, as_it_is)(RUBBISH)
    must_be_refused(caught.value)


async def test_a_stream_refuses_rubbish(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.unary_stream(f"{HEALTH}/Watch", as_it_is, as_it_is)(RUBBISH).read()
    must_be_refused(caught.value)


async def test_a_dialogue_refuses_rubbish(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await channel.stream_stream(REFLECTION, as_it_is, as_it_is)(iter([RUBBISH])).read()
    must_be_refused(caught.value)


async def test_a_dialogue_goes_on_as_long_as_it_is_asked_well(channel: grpc.aio.Channel) -> None:
    asked = reflection_pb2.ServerReflectionRequest(list_services="*").SerializeToString()
    call = channel.stream_stream(REFLECTION, as_it_is, reflection_pb2.ServerReflectionResponse.FromString)
    answers = [answer async for answer in call(iter([asked, asked]))]
    names = [[service.name for service in answer.list_services_response.service] for answer in answers]
    assert names == [["grpc.health.v1.Health", *reflection.NAMES]] * 2


class Slow:
    """A server with one method, which answers with its request once the test lets it go on."""

    def __init__(self) -> None:
        self.address = free_address()
        self.begun = asyncio.Semaphore(0)
        self.go_on = asyncio.Event()
        self.server = RpcServer(ServiceSettings.model_construct(grpc_listen=self.address), [Api("slow", self._add, {})])

    def _add(self, server: grpc.aio.Server) -> None:
        methods = {
            "Call": grpc.unary_unary_rpc_method_handler(self._call, Message.FromString, Message.SerializeToString)
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("slow", methods),))

    async def _call(self, request: Message, _: Context) -> Message:
        self.begun.release()
        await self.go_on.wait()
        return request

    @asynccontextmanager
    async def called(self) -> AsyncIterator[Callable[[str], Awaitable[Message]]]:
        """Start it, and yield a function that calls it with a text and returns the answer."""
        await self.server.start()
        async with grpc.aio.insecure_channel(str(self.address)) as channel:
            call = channel.unary_unary("/slow/Call", Message.SerializeToString, Message.FromString)
            yield lambda text: call(Message(service=text))


async def test_calls_under_way_at_a_stop_are_answered_and_new_ones_are_not_taken() -> None:
    slow = Slow()
    async with slow.called() as call:
        calls = [call(str(number)) for number in range(10)]
        for _ in calls:
            await slow.begun.acquire()
        stopping = asyncio.create_task(slow.server.stop(30))
        await asyncio.sleep(0.2)  # the client gets the GOAWAY
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call("too late")
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert not stopping.done()
        slow.go_on.set()
        assert [(await one).service for one in calls] == [str(number) for number in range(10)]
        await stopping


async def test_a_call_that_never_came_whole_does_not_hold_up_a_stop() -> None:
    slow = Slow()
    async with slow.called(), grpc.aio.insecure_channel(str(slow.address)) as channel:
        silent = channel.stream_unary("/slow/Call", Message.SerializeToString, Message.FromString)()
        await silent.wait_for_connection()
        await asyncio.sleep(0.2)  # the server knows of it
        async with asyncio.timeout(10):
            await slow.server.stop(grace_seconds=30)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await silent
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_call_that_outlasts_the_grace_is_cut_off() -> None:
    slow = Slow()
    async with slow.called() as call:
        under_way = call("1")
        await slow.begun.acquire()
        await slow.server.stop(0.1)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await under_way
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_who_watches_the_health_gets_each_change() -> None:
    slow = Slow()
    async with slow.called(), grpc.aio.insecure_channel(str(slow.address)) as channel:
        watch = channel.unary_stream(f"{HEALTH}/Watch", Message.SerializeToString, HealthCheckResponse.FromString)
        statuses = aiter(watch(Message(service="slow")))
        assert (await anext(statuses)).status == HealthCheckResponse.NOT_SERVING
        await slow.server.set_ready(ready=True)
        assert (await anext(statuses)).status == HealthCheckResponse.SERVING
        async with asyncio.timeout(10):
            await slow.server.stop(grace_seconds=30)  # which does not wait for watchers
