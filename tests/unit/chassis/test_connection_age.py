"""Connections age, so that replicas that come later get calls; what is under way on them goes on."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message

from chassis.settings import Listen
from tests.support.echo import Echo, call
from tests.support.proxy import Proxy

AGE_SECONDS = 0.3
OWN = [("grpc.use_local_subchannel_pool", 1)]


async def one_more(stack: AsyncExitStack) -> Echo:
    return await stack.enter_async_context(Echo(grpc_max_connection_age_seconds=AGE_SECONDS))


async def test_replicas_that_come_later_get_their_share_of_four_channels_that_were_there_before() -> None:
    replicas: list[Echo] = []
    turn = 0

    def next_replica() -> Listen:
        """Return whose turn it is, as a load balancer of connections does."""
        nonlocal turn
        turn += 1
        return replicas[turn % len(replicas)].address

    async with AsyncExitStack() as stack:
        replicas.append(await one_more(stack))
        balancer = await stack.enter_async_context(Proxy(next_replica))
        channels = [
            await stack.enter_async_context(grpc.aio.insecure_channel(str(balancer.address), options=OWN))
            for _ in range(4)
        ]
        for channel in channels:
            await call(channel)(Message(), timeout=10)
        replicas += [await one_more(stack), await one_more(stack)]
        async with asyncio.timeout(30):
            while min(replica.called for replica in replicas) < 20:
                codes = await asyncio.gather(*(call(channel)(Message(), timeout=10).code() for channel in channels))
                assert set(codes) == {grpc.StatusCode.OK}, "nothing is lost when a connection ends"
                await asyncio.sleep(0.01)
    calls = Counter({place: replica.called for place, replica in enumerate(replicas)})
    assert max(calls.values()) < 20 * min(calls.values()), calls


async def test_a_stream_outlives_the_age_of_its_connection_and_other_calls_take_a_new_one() -> None:
    connections = 0

    def count() -> Listen:
        nonlocal connections
        connections += 1
        return echo.address

    async with (
        Echo(grpc_max_connection_age_seconds=AGE_SECONDS) as echo,
        Proxy(count) as proxy,
        grpc.aio.insecure_channel(str(proxy.address), options=OWN) as channel,
    ):
        dialogue = call(channel, "Dialogue")()
        for _ in range(8):
            await dialogue.write(Message())
            assert (await dialogue.read()).service
            await call(channel)(Message(), timeout=10)
            await asyncio.sleep(AGE_SECONDS / 2)
        assert connections > 2
        await dialogue.done_writing()
        assert await dialogue.code() is grpc.StatusCode.OK
