"""TLS of the server: certificates that are read again, the clients whose names may call, and probes in the clear."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health_pb2 import HealthCheckRequest as Message
from grpc_health.v1.health_pb2 import HealthCheckResponse

from sagakit.rpc import connections
from sagakit.runtime.settings import Listen
from tests.support.certificates import Authority, Pair, serial_at
from tests.support.echo import Echo, call
from tests.support.rpc import refusal_of
from tests.support.served import free_address

OURS, FOREIGN = Authority("ours"), Authority("foreign")
CONSOLE = OURS.sign("console.shop", "spiffe://shop/console")
OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    OURS.sign("127.0.0.1").write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(OURS.certificate)
    return tmp_path


def serving(
    folder: Path, *, mutual: bool = False, names: frozenset[str] | None = None, health_listen: Listen | None = None
) -> Echo:
    return Echo(
        health_listen=health_listen,
        grpc_tls_certificate=str(folder / "tls.crt"),
        grpc_tls_key=str(folder / "tls.key"),
        grpc_tls_client_ca=str(folder / "ca.crt") if mutual else None,
        grpc_tls_client_names=names,
    )


def trusting(believed: Authority, own: Pair | None = None) -> grpc.ChannelCredentials:
    chain = (own.key, own.certificate) if own else ()
    return grpc.ssl_channel_credentials(believed.certificate, *chain)


def opened(echo: Echo) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(str(echo.address), trusting(OURS), options=OPTIONS)


async def outcome(echo: Echo, own: Pair | None = None, believed: Authority = OURS, method: str = "Call") -> str:
    """Call over a new connection; return OK or the code of the refusal, with the reason where the guard gives one."""

    def attempt() -> str:
        with grpc.secure_channel(str(echo.address), trusting(believed, own), options=OPTIONS) as channel:
            called = call(channel, method)
            try:
                called(Message(), timeout=10) if method == "Call" else next(
                    called(iter([Message()]) if method == "Dialogue" else Message(), timeout=10)
                )
            except grpc.RpcError as error:
                refused = refusal_of(error)
                return f"{refused.code.name} {refused.reason}".strip()
            return "OK"

    return await asyncio.to_thread(attempt)


async def serial(echo: Echo) -> int:
    return await asyncio.to_thread(serial_at, echo.address, OURS)


async def test_a_connection_that_is_made_after_the_files_have_changed_gets_the_new_certificate(folder: Path) -> None:
    renewed = OURS.sign("127.0.0.1")
    async with serving(folder) as echo, opened(echo) as before:
        await call(before)(Message(), timeout=10)
        renewed.write(folder)
        assert await serial(echo) == renewed.serial
        await call(before)(Message(), timeout=10)
        assert await outcome(echo) == "OK"


async def test_who_connects_and_never_speaks_tls_is_dropped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_HANDSHAKE_MS", 500)
    async with serving(folder) as echo:
        reader, writer = await asyncio.open_connection(*echo.address)
        async with asyncio.timeout(15):  # gRPC's own patience is two minutes
            assert await reader.read() == b""
        writer.close()
        assert await outcome(echo) == "OK"


async def test_a_certificate_without_its_key_is_not_shown_to_anybody(folder: Path) -> None:
    renewed = OURS.sign("127.0.0.1")
    async with serving(folder) as echo:
        first = await serial(echo)
        (folder / "tls.crt").write_bytes(renewed.certificate)
        assert await serial(echo) == first
        (folder / "tls.key").write_bytes(renewed.key)
        assert await serial(echo) == renewed.serial


async def test_clients_of_an_authority_that_is_replaced_are_refused_from_then_on(folder: Path) -> None:
    async with serving(folder, mutual=True) as echo:
        assert await outcome(echo, CONSOLE) == "OK"
        assert await outcome(echo, FOREIGN.sign("console.shop")) == "UNAVAILABLE"
        (folder / "ca.crt").write_bytes(FOREIGN.certificate)
        assert await outcome(echo, FOREIGN.sign("console.shop")) == "OK"
        assert await outcome(echo, CONSOLE) == "UNAVAILABLE"


async def test_a_client_refuses_a_server_of_another_authority_or_of_another_name(folder: Path) -> None:
    async with serving(folder) as echo:
        assert await outcome(echo, believed=FOREIGN) == "UNAVAILABLE"
        OURS.sign("elsewhere.shop").write(folder)
        assert await outcome(echo) == "UNAVAILABLE"


NAMES = frozenset({"console.shop", "spiffe://shop/order"})
REFUSED = "PERMISSION_DENIED CLIENT_NOT_ALLOWED"
CLIENTS = {
    "by its DNS name": (CONSOLE, "OK"),
    "by its URI": (OURS.sign("other.shop", "spiffe://shop/order"), "OK"),
    "by one of many": (OURS.sign("a.shop", "b.shop", "console.shop"), "OK"),
    "of another name": (OURS.sign("product-svc.shop"), REFUSED),
    "of a name that begins alike": (OURS.sign("console.shop.evil"), REFUSED),
    "of all names": (OURS.sign("*.shop"), REFUSED),
    "by its common name alone": (OURS.sign(common_name="console.shop"), REFUSED),
    "of a common name beside another": (OURS.sign("evil.shop", common_name="console.shop"), REFUSED),
    "of another authority": (FOREIGN.sign("console.shop"), "UNAVAILABLE"),
    "without a certificate": (None, "UNAVAILABLE"),
}


@pytest.mark.parametrize("client", CLIENTS)
async def test_only_clients_of_the_names_that_are_given_may_call(folder: Path, client: str) -> None:
    own, wanted = CLIENTS[client]
    async with serving(folder, mutual=True, names=NAMES) as echo:
        assert await outcome(echo, own) == wanted
        assert bool(echo.called) is (wanted == "OK")


@pytest.mark.parametrize("method", ["Quiet", "Endless", "Dialogue"])
async def test_streams_are_refused_as_well(folder: Path, method: str) -> None:
    async with serving(folder, mutual=True, names=NAMES) as echo:
        assert await outcome(echo, OURS.sign("product-svc.shop"), method=method) == REFUSED
        assert echo.open == 0


async def test_any_client_of_the_authority_may_ask_for_the_health(folder: Path) -> None:
    async with (
        serving(folder, mutual=True, names=NAMES) as echo,
        grpc.aio.secure_channel(str(echo.address), trusting(OURS, OURS.sign("probe.shop")), options=OPTIONS) as channel,
    ):
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (await health.Check(Message(service="liveness"), timeout=10)).status == HealthCheckResponse.SERVING


async def status_at(address: Listen, service: str = "") -> Any:
    """Return what a probe in the clear is told."""
    async with grpc.aio.insecure_channel(str(address), options=OPTIONS) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        return (await health.Check(Message(service=service), timeout=10)).status


@pytest.fixture
async def probed(folder: Path) -> AsyncIterator[tuple[Echo, Listen]]:
    """A server that wants certificates of names, and where it tells of its health."""
    probes = free_address()
    async with serving(folder, mutual=True, names=NAMES, health_listen=probes) as echo:
        yield echo, probes


async def test_probes_that_know_no_tls_are_told_of_the_health(probed: tuple[Echo, Listen]) -> None:
    echo, probes = probed
    assert await status_at(probes, "liveness") == HealthCheckResponse.SERVING
    assert await status_at(probes) == HealthCheckResponse.NOT_SERVING
    await echo.server.set_ready(ready=True)
    assert await status_at(probes) == await status_at(probes, "echo") == HealthCheckResponse.SERVING


@pytest.mark.parametrize("method", ["/echo/Call", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"])
async def test_probes_are_told_of_nothing_else(probed: tuple[Echo, Listen], method: str) -> None:
    echo, probes = probed
    async with grpc.aio.insecure_channel(str(probes), options=OPTIONS) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(method, bytes, bytes)(b"", timeout=10)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert not echo.called


async def test_probes_are_told_until_the_end_that_a_server_stops(folder: Path) -> None:
    probes = free_address()
    async with serving(folder, health_listen=probes) as echo, opened(echo) as channel:
        await echo.server.set_ready(ready=True)
        under_way = call(channel, "Quiet")(Message())
        await under_way.read()
        stopping = asyncio.create_task(echo.server.stop(grace_seconds=30))
        await asyncio.sleep(0.1)
        assert await status_at(probes) == await status_at(probes, "liveness") == HealthCheckResponse.NOT_SERVING
        under_way.cancel()
        await stopping
        with pytest.raises(grpc.aio.AioRpcError):
            await status_at(probes)


async def test_an_address_for_probes_that_is_taken_is_named(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = Listen(*taken.getsockname())
        with pytest.raises(RuntimeError, match=str(address)):
            serving(folder, health_listen=address)
