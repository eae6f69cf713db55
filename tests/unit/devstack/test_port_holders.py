"""A port that a connection has is waited for; what keeps it for good is named."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.layout import Layout
from devstack.port_holders import Holder
from devstack.ports import free_port, is_free, must_be_free
from devstack.stack import Stack

Ends = tuple[socket.socket, socket.socket]


@pytest.fixture
def ends() -> Iterator[Ends]:
    """An outgoing connection and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        # From a port that the system gives to no other connection.
        outgoing = socket.create_connection(server.getsockname(), source_address=("127.0.0.1", free_port()))
        other, _ = server.accept()
        with outgoing, other:
            yield outgoing, other


@pytest.fixture
def told() -> list[str]:
    return []


def reset(one: socket.socket) -> None:
    """End a connection at once, so that no end of it is left."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    one.close()


def test_the_port_of_a_connection_is_waited_for(ends: Ends, told: list[str]) -> None:
    outgoing, _ = ends
    port = outgoing.getsockname()[1]
    threading.Timer(1.0, reset, (outgoing,)).start()
    must_be_free(port, "order_svc's gRPC API", "ORDER_SVC_GRPC_PORT", told.append)
    assert is_free(port)
    assert told[0].startswith(f"waiting for port {port}, in use by a connection")


def test_the_owner_of_a_connection_that_stays_is_named(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr("devstack.port_holders._CONNECTION_SECONDS", 0.2)
    outgoing, other = ends
    port, server = outgoing.getsockname()[1], other.getsockname()[1]
    with pytest.raises(DevstackError, match=rf"port {port} for a test is in use by a connection") as caught:
        must_be_free(port, "a test", "TEST_PORT", told.append)
    assert f"to 127.0.0.1:{server} of " in str(caught.value)
    assert f"(pid {os.getpid()}); stop that, or choose another port: TEST_PORT=" in str(caught.value)


def test_the_port_of_a_closed_connection_is_waited_for_as_long_as_the_system_keeps_it(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr("devstack.port_holders._CONNECTION_SECONDS", 0.0)
    monkeypatch.setattr("devstack.port_holders._CLOSED_SECONDS", 1.0)
    outgoing, other = ends
    port = outgoing.getsockname()[1]
    for end in (outgoing, other):
        end.shutdown(socket.SHUT_WR)
    for end in (outgoing, other):
        end.recv(1)
    began = time.monotonic()
    with pytest.raises(DevstackError, match="in use by a connection that was closed a moment ago"):
        must_be_free(port, "a test", "TEST_PORT", told.append)
    assert time.monotonic() - began >= 1.0


def test_a_connection_that_has_gone_between_two_looks_is_no_reason_to_refuse(
    monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    closed, gone = Holder(" by a connection that was closed a moment ago", 65.0), Holder("", 0.3)
    monkeypatch.setattr("devstack.ports._LOOK_SECONDS", 0.2)
    monkeypatch.setattr("devstack.ports.holder_of", lambda _: gone if len(told) >= 3 else closed)
    monkeypatch.setattr("devstack.ports.is_free", lambda _: len(told) == 4)
    must_be_free(50052, "a test", "TEST_PORT", told.append)
    assert told[-1] == "waiting for port 50052, in use"


def test_nobody_waits_for_a_program_that_listens(told: list[str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server, pytest.raises(DevstackError, match=r"\(pid \d+\)"):
        must_be_free(server.getsockname()[1], "a test", "TEST_PORT", told.append)
    assert told == []


def test_a_program_that_listens_elsewhere_is_not_taken_for_the_holder(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, told: list[str]
) -> None:
    monkeypatch.setattr("devstack.port_holders._CONNECTION_SECONDS", 0.0)
    port = ends[0].getsockname()[1]
    with (
        closing(socket.create_server(("127.0.0.2", port))),
        pytest.raises(DevstackError, match="in use by a connection to"),
    ):
        must_be_free(port, "a test", "TEST_PORT", told.append)


@pytest.fixture
def taken() -> Iterator[list[int]]:
    """Three ports on which somebody else listens."""
    with ExitStack() as held:
        strangers = [held.enter_context(socket.create_server(("127.0.0.1", free_port()))) for _ in range(3)]
        yield [stranger.getsockname()[1] for stranger in strangers]


def test_all_ports_that_are_in_the_way_of_a_start_are_named_at_once(tmp_path: Path, taken: list[int]) -> None:
    grpc, metrics, console = taken
    layout = Layout(
        tmp_path, grpc_ports={"order_svc": grpc}, metrics_ports={"order_svc": metrics}, console_port=console
    )
    with pytest.raises(DevstackError) as caught:
        Stack(layout).up()
    lines = str(caught.value).splitlines()
    assert [line.split(" is in use by ")[0] for line in lines] == [
        f"port {grpc} for order_svc's gRPC API",
        f"port {metrics} for order_svc's metrics",
        f"port {console} for the console",
    ]
    assert [line.rpartition(" ")[2] for line in lines] == [
        "ORDER_SVC_GRPC_PORT=…",
        "ORDER_SVC_METRICS_PORT=…",
        "CONSOLE_PORT=…",
    ]
