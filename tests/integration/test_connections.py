"""Clients that ping, that vanish, and that do not read. The tests take as long as the server waits for such clients."""

import asyncio
import time

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from prometheus_client import REGISTRY

from tests.support.echo import Echo, call
from tests.support.proxy import Proxy

DROPPED_SECONDS = 30
"""Twenty seconds until a silent client is pinged, and ten for its answer; thirty for one that does not read."""
SLACK_SECONDS = 15
MORE_THAN_A_WINDOW = 1000
"""Answers, of ten thousand bytes each."""
OWN = ("grpc.use_local_subchannel_pool", 1)
NO_KEEPALIVE = [OWN]


def streams(method: str) -> float:
    return REGISTRY.get_sample_value("sagakit_rpc_streams", {"method": method}) or 0


async def gone(echo: Echo) -> float:
    """Wait until no stream is open, and return how long that took."""
    began = time.monotonic()
    async with asyncio.timeout(DROPPED_SECONDS + SLACK_SECONDS):
        while echo.open:  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.1)
    return time.monotonic() - began


async def a_client_that_went_away_on_a_quiet_stream_is_dropped() -> None:
    async with (
        Echo() as echo,
        Proxy(lambda: echo.address) as network,
        grpc.aio.insecure_channel(str(network.address), options=NO_KEEPALIVE) as channel,
    ):
        await call(channel, "Quiet")(Message()).read()
        assert echo.open == 1
        network.hang()
        await gone(echo)


async def a_client_that_went_away_while_it_was_written_to_is_dropped() -> None:
    async with (
        Echo() as echo,
        Proxy(lambda: echo.address) as network,
        grpc.aio.insecure_channel(str(network.address), options=NO_KEEPALIVE) as channel,
    ):
        endless = call(channel, "Endless")(Message())
        await endless.read()
        network.hang()
        await gone(echo)


async def a_client_that_does_not_read_is_dropped_and_learns_why_when_it_does(method: str) -> None:
    async with Echo() as echo, grpc.aio.insecure_channel(str(echo.address), options=NO_KEEPALIVE) as channel:
        stream = call(channel, method)(*([] if method == "Dialogue" else [Message()]))
        if method == "Dialogue":
            for _ in range(MORE_THAN_A_WINDOW):
                await stream.write(Message())
        await stream.read()
        await gone(echo)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await read_all(stream)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert "was read" in (caught.value.details() or "")


async def read_all(stream: grpc.aio.StreamStreamCall[Message, Message]) -> None:
    while await stream.read() is not grpc.aio.EOF:
        pass


async def a_client_that_reads_now_and_then_is_served() -> None:
    async with Echo() as echo, grpc.aio.insecure_channel(str(echo.address), options=NO_KEEPALIVE) as channel:
        stream = call(channel, "Endless")(Message())
        for _ in range(8):
            for _ in range(200):
                assert (await stream.read()).service
            await asyncio.sleep(DROPPED_SECONDS / 6)
        assert echo.open == 1


async def pings_of_a_client_on_a_quiet_stream_are_borne(every_ms: int) -> None:
    pinging = [
        OWN,
        ("grpc.keepalive_time_ms", every_ms),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.max_pings_without_data", 0),
    ]
    async with Echo() as echo, grpc.aio.insecure_channel(str(echo.address), options=pinging) as channel:
        quiet = call(channel, "Quiet")(Message())
        await quiet.read()
        done, _ = await asyncio.wait([asyncio.create_task(quiet.read())], timeout=DROPPED_SECONDS)
        assert not done, await quiet.code()
        assert echo.open == 1


async def test_a_server_bears_pings_and_drops_who_is_gone_or_does_not_read() -> None:
    before = streams("Quiet"), streams("Endless"), streams("Dialogue")
    await asyncio.gather(
        a_client_that_went_away_on_a_quiet_stream_is_dropped(),
        a_client_that_went_away_while_it_was_written_to_is_dropped(),
        a_client_that_does_not_read_is_dropped_and_learns_why_when_it_does("Endless"),
        a_client_that_does_not_read_is_dropped_and_learns_why_when_it_does("Dialogue"),
        a_client_that_reads_now_and_then_is_served(),
        pings_of_a_client_on_a_quiet_stream_are_borne(1000),
        pings_of_a_client_on_a_quiet_stream_are_borne(5000),
    )
    assert (streams("Quiet"), streams("Endless"), streams("Dialogue")) == before, "the gauge shows the same"
