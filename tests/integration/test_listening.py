"""A service listens where its settings say, on IPv4 and IPv6, and says which of its two listeners cannot.

It is alive without any other server, so that none is needed here.
"""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from devstack.layout import ROOT
from devstack.ports import free_port
from sagakit.rpc.server import LIVENESS
from tests.support.served import has_ipv6
from tests.support.wait import eventually

Start = Callable[[str, str], subprocess.Popen[str]]
NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
    "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/nowhere",
    "LOG_FORMAT": "json",
    "AUTH_NONE_ACKNOWLEDGED": "yes",
}


LISTENING = (
    [("[::1]", "[::1]"), ("[::]", "[::]"), ("127.0.0.1", "[::1]")] if has_ipv6() else [("localhost", "127.0.0.1")]
)
REACHED_BY = {"[::]": "[::1]"}


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a service that listens for gRPC and for metrics at the given addresses."""
    started: list[subprocess.Popen[str]] = []

    def run(rpcs: str, metrics: str) -> subprocess.Popen[str]:
        environment = {**os.environ, **NOWHERE, "GRPC_LISTEN": rpcs, "METRICS_LISTEN": metrics}
        service = subprocess.Popen(
            [sys.executable, "-m", "delivery_svc"], cwd=ROOT, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        started.append(service)
        return service

    yield run
    for service in started:
        service.send_signal(signal.SIGKILL)
        service.communicate()


def assert_alive(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)  # its methods are unknown to the package's types
        try:
            answer = stub.Check(health_pb2.HealthCheckRequest(service=LIVENESS), timeout=2)
        except grpc.RpcError as error:
            raise AssertionError(error) from error
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize(("rpc_host", "metrics_host"), LISTENING)
def test_both_listeners_listen_where_the_settings_say(start: Start, rpc_host: str, metrics_host: str) -> None:
    rpcs, metrics = free_port(), free_port()
    start(f"{rpc_host}:{rpcs}", f"{metrics_host}:{metrics}")
    eventually(lambda: assert_alive(f"{REACHED_BY.get(rpc_host, rpc_host)}:{rpcs}"), 60)
    page = f"http://{REACHED_BY.get(metrics_host, metrics_host)}:{metrics}/metrics"
    with urllib.request.urlopen(page, timeout=5) as answer:
        assert b"sagakit_ready 0.0" in answer.read()


ELSEWHERE = "203.0.113.1:9101"
"""An address of RFC 5737, which no machine has."""


@pytest.mark.parametrize(
    ("rpcs", "metrics", "said", "not_said"),
    [
        ("127.0.0.1:0", ELSEWHERE, "cannot serve metrics", "gRPC"),
        (ELSEWHERE, "127.0.0.1:0", "cannot listen for gRPC", "metrics"),
    ],
)
def test_a_listener_that_cannot_listen_is_named(
    start: Start, rpcs: str, metrics: str, said: str, not_said: str
) -> None:
    service = start(rpcs, metrics)
    log, _ = service.communicate(timeout=60)
    assert service.returncode == 1
    (line,) = (line for line in log.splitlines() if "cannot" in line and line.startswith("{"))
    assert said in line
    assert not_said not in line
    assert (metrics if said == "cannot serve metrics" else rpcs) in line
