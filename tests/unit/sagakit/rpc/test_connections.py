"""Connections end at an age, so that new replicas get calls; calls under way go on."""

import asyncio
import resource
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from ordersaga_client import CHANNEL_OPTIONS

from devstack.ports import free_port
from sagakit.rpc import connections
from sagakit.runtime.settings import Listen
from tests.support.echo import Echo, call
from tests.support.proxy import Proxy
from tests.support.served import free_address

AGE_SECONDS = 0.3
OWN = [("grpc.use_local_subchannel_pool", 1)]


async def one_more(stack: AsyncExitStack) -> Echo:
    return await stack.enter_async_context(Echo(grpc_max_connection_age_seconds=AGE_SECONDS))


async def test_replicas_that_come_later_get_their_share_of_four_channels_that_were_there_before() -> None:
    replicas: list[Echo] = []
    turn = 0

    def next_replica() -> Listen:
        """Return the next address in turn, as a load balancer of connections does."""
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


class Names(asyncio.DatagramProtocol):
    """A name server, as of a Kubernetes service without an address of its own: any name has all of ``addresses``."""

    def __init__(self) -> None:
        self.addresses = ["127.0.0.1"]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        end = 12 + data[12:].index(0) + 5  # of the question: the name, its type and its class
        known = self.addresses if data[end - 4 : end - 2] == b"\0\1" else []  # type A
        answers = [struct.pack(">HHHIH", 0xC00C, 1, 1, 1, 4) + socket.inet_aton(one) for one in known]
        head = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(known), 0, 0)
        self._transport.sendto(head + data[12:end] + b"".join(answers), addr)


async def test_four_channels_find_by_name_the_replicas_that_come_later() -> None:
    names, port = Names(), free_port()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: names, local_addr=("127.0.0.1", 0))
    server = "{}:{}".format(*transport.get_extra_info("sockname"))
    options = {**dict(CHANNEL_OPTIONS), **dict(OWN), "grpc.dns_min_time_between_resolutions_ms": 100}
    async with AsyncExitStack() as stack:
        stack.callback(transport.close)
        channels = [
            await stack.enter_async_context(
                grpc.aio.insecure_channel(f"dns://{server}/replicas.test:{port}", options=list(options.items()))
            )
            for _ in range(4)
        ]
        replicas = [Echo(Listen(f"127.0.0.{n}", port), grpc_max_connection_age_seconds=AGE_SECONDS) for n in (1, 2, 3)]
        await stack.enter_async_context(replicas[0])
        for channel in channels:
            await call(channel)(Message(), timeout=10)
        assert [replica.called for replica in replicas] == [4, 0, 0]
        for replica in replicas[1:]:
            await stack.enter_async_context(replica)
        names.addresses += ["127.0.0.2", "127.0.0.3"]
        async with asyncio.timeout(30):
            while min(replica.called for replica in replicas) < 20:
                await asyncio.gather(*(call(channel)(Message(), timeout=10) for channel in channels))
                await asyncio.sleep(0.01)


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


async def test_a_stream_ends_when_the_grace_of_its_connection_is_over_and_may_begin_anew() -> None:
    async with (
        Echo(grpc_max_connection_age_seconds=AGE_SECONDS, grpc_max_connection_age_grace_seconds=AGE_SECONDS) as echo,
        grpc.aio.insecure_channel(str(echo.address), options=OWN) as channel,
    ):
        for _ in range(2):
            stream = call(channel, "Quiet")(Message(service="here"), timeout=20)
            assert (await stream.read()).service == "here"
            assert await stream.code() is grpc.StatusCode.UNAVAILABLE
        async with asyncio.timeout(10):
            while echo.open:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.01)


async def test_calls_above_those_of_one_connection_wait_in_the_client_until_another_has_ended() -> None:
    async with (
        Echo(grpc_max_connection_streams=2) as echo,
        grpc.aio.insecure_channel(str(echo.address), options=OWN) as channel,
    ):
        watches = [call(channel, "Quiet")(Message()) for _ in range(2)]
        for watch in watches:
            await watch.read()
        third = call(channel)(Message(service="third"), timeout=20)
        await asyncio.sleep(0.3)
        assert (third.done(), echo.called) == (False, 0)
        watches[0].cancel()
        assert (await third).service == "third"


BEGUN = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0"
"""What a client of HTTP/2 begins with: the preface, and its settings."""


@contextmanager
def half_open(address: Listen, times: int) -> Iterator[list[bool]]:
    """Connect ``times``, and no more than that; say of each connection whether the server has answered it."""
    with ExitStack() as stack:
        made = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(times)]
        for one in made:
            one.sendall(BEGUN)
        yield [is_answered(one) for one in made]


def is_answered(connection: socket.socket) -> bool:
    try:
        return connection.recv(9) != b""
    except ConnectionError:
        return False


async def called(address: Listen, **how: bool) -> grpc.StatusCode:
    """Call over a new connection."""
    async with grpc.aio.insecure_channel(str(address), options=OWN) as channel:
        code: grpc.StatusCode = await call(channel)(Message(), timeout=20, **how).code()
        return code


async def test_past_the_bound_a_connection_is_closed_and_those_that_are_there_and_probes_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "_MOST_CONNECTIONS", 20)
    probes = free_address()
    async with (
        Echo(health_listen=probes) as echo,
        grpc.aio.insecure_channel(str(echo.address), options=OWN) as there,
        grpc.aio.insecure_channel(str(probes), options=OWN) as probing,
    ):
        await call(there)(Message(), timeout=20)
        crowd = half_open(echo.address, 500)
        async with AsyncExitStack() as stack:
            answered = await asyncio.to_thread(crowd.__enter__)
            stack.push(crowd.__exit__)
            assert sum(answered) == 19
            await call(there)(Message(), timeout=20)
            assert await called(echo.address) is grpc.StatusCode.UNAVAILABLE
            health: Any = health_pb2_grpc.HealthStub(probing)
            await health.Check(Message(service="liveness"), timeout=20)
        assert await called(echo.address, wait_for_ready=True) is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("files", "most"), [(1024, 768), (256, 128), (1_048_576, 10_000), (resource.RLIM_INFINITY, 10_000)]
)
def test_connections_leave_files_for_all_else(monkeypatch: pytest.MonkeyPatch, files: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert connections.most_connections() == most
