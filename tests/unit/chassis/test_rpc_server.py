"""What the server answers to bytes that are no request, by whichever kind of method they come."""

import socket
from collections.abc import AsyncIterator

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from chassis.rpc_server import RpcServer
from chassis.settings import Listen, ServiceSettings

HEALTH = "/grpc.health.v1.Health"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
RUBBISH = b"\xff\xff"


def as_it_is(body: bytes) -> bytes:
    return body


@pytest.fixture
async def channel() -> AsyncIterator[grpc.aio.Channel]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = Listen(*free.getsockname())
    server = RpcServer(ServiceSettings.model_construct(grpc_listen=listen), [])
    await server.start()
    try:
        async with grpc.aio.insecure_channel(str(listen)) as channel:
            yield channel
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
    assert names == [["grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"]] * 2
