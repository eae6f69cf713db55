"""A caller who takes more than his share is told so, and when to come again; others do not notice."""

import asyncio
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from grpc_health.v1.health_pb2 import HealthCheckResponse

from tests.support.echo import Echo, call
from tests.support.rpc import refusal
from tests.support.served import free_address

OWN = [("grpc.use_local_subchannel_pool", 1)]


async def refused(channel: Any) -> Any:
    """Call until that is refused, a hundred times at most."""

    def once() -> object:
        for _ in range(100):
            call(channel)(Message(), timeout=10)
        return "a hundred calls"

    return await asyncio.to_thread(refusal, once)


async def test_a_caller_beyond_his_rate_is_told_when_to_come_again_and_does_nothing() -> None:
    async with Echo(grpc_caller_calls_per_second=5.0) as echo:
        with grpc.insecure_channel(str(echo.address), options=OWN) as channel:
            status = await refused(channel)
            assert (status.code, status.reason) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "TOO_MANY_CALLS_OF_ONE_CALLER",
            )
            assert 0 < status.retry_seconds <= 0.2
            assert 10 <= echo.called < 100, "two seconds' worth at once"
            await asyncio.sleep(status.retry_seconds)
            assert await asyncio.to_thread(call(channel), Message(service="again"), timeout=10)


async def test_a_second_connection_is_the_same_caller() -> None:
    async with Echo(grpc_caller_calls_per_second=5.0) as echo:
        with (
            grpc.insecure_channel(str(echo.address), options=OWN) as first,
            grpc.insecure_channel(str(echo.address), options=OWN) as second,
        ):
            await refused(first)
            assert (await refused(second)).reason == "TOO_MANY_CALLS_OF_ONE_CALLER"


async def test_a_stream_too_many_of_one_caller_is_refused_until_another_has_ended() -> None:
    async with (
        Echo(grpc_caller_streams=3) as echo,
        grpc.aio.insecure_channel(str(echo.address), options=OWN) as channel,
    ):
        watches = [call(channel, "Quiet")(Message(), timeout=60) for _ in range(3)]
        for watch in watches:
            await watch.read()
        with grpc.insecure_channel(str(echo.address), options=OWN) as other:
            status = await asyncio.to_thread(refusal, lambda: next(call(other, "Quiet")(Message(), timeout=10)))
            assert (status.code, status.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_MANY_STREAMS")
            assert status.retry_seconds
            assert await asyncio.to_thread(call(other), Message(), timeout=10) is not None, "calls go on"
            watches[0].cancel()
            async with asyncio.timeout(10):
                while echo.open > 2:  # noqa: ASYNC110 - nothing signals it
                    await asyncio.sleep(0.01)
            assert await asyncio.to_thread(lambda: next(call(other, "Quiet")(Message(service="now"), timeout=10)))


async def test_a_dialogue_is_slowed_down_and_not_ended() -> None:
    async with (
        Echo(grpc_caller_calls_per_second=20.0) as echo,
        grpc.aio.insecure_channel(str(echo.address), options=OWN) as channel,
    ):
        dialogue = call(channel, "Dialogue")(timeout=60)
        for _ in range(60):  # a bucket holds 40
            await dialogue.write(Message())
            assert (await dialogue.read()).service
        await dialogue.done_writing()
        assert await dialogue.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("of_its_own", [False, True], ids=["beside the API", "a listener of its own"])
async def test_a_crowd_that_watches_the_health_is_refused_and_probes_are_answered(of_its_own: bool) -> None:
    probed = free_address() if of_its_own else None
    async with (
        Echo(grpc_caller_streams=3, grpc_caller_calls_per_second=1.0, health_listen=probed) as echo,
        grpc.aio.insecure_channel(str(probed or echo.address), options=OWN) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        watches = [health.Watch(Message(), timeout=60) for _ in range(3)]
        for watch in watches:
            await watch.read()
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Watch(Message(), timeout=10).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        for _ in range(20):
            assert (await health.Check(Message(service="liveness"))).status == HealthCheckResponse.SERVING
