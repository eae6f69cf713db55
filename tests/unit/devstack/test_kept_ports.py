"""A service that starts again in a stack that runs keeps its ports, also where a new shell does not name them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.layout import Layout
from devstack.ports import free_port
from devstack.services import Service
from devstack.stack import Stack

NAME = "order_svc"
SLEEP = ("-c", "import time; time.sleep(60)")


def launch(service: Service, *_: object) -> None:
    """Start a process that does nothing in the place of the service."""
    service.launch("dsn", "kafka", "registry", program=SLEEP)


def layout(data: Path, *, grpc: int, metrics: int) -> Layout:
    """What `make up` reads from one shell: the ports of one service, and those of all others."""
    return Layout(data=data, grpc_ports={NAME: grpc}, metrics_ports={NAME: metrics})


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of which two services run."""
    monkeypatch.setattr(Service, "start", launch)
    for variable in (f"{NAME.upper()}_GRPC_PORT", f"{NAME.upper()}_METRICS_PORT"):
        monkeypatch.delenv(variable, raising=False)
    stack = Stack(layout(tmp_path, grpc=free_port(), metrics=free_port()))
    services = [stack.service(name) for name in (NAME, "product_svc")]
    for service in services:
        launch(service)
    yield stack
    for service in services:
        service.kill()


@pytest.fixture
def later(stack: Stack) -> Stack:
    """The same stack, from a shell that does not name the ports; its servers are somebody else's, so none is missed."""
    data = stack.service(NAME).log.parents[1]
    later = Stack(layout(data, grpc=free_port(), metrics=free_port()))
    for server in (*later.database_servers, later.kafka, later.registry):
        server.external = True
    return later


def test_a_service_that_is_started_again_keeps_its_ports(stack: Stack, later: Stack) -> None:
    before = stack.service(NAME)
    grpc, metrics = before.grpc, before.metrics
    later.stop([NAME])
    later.restart([NAME])
    assert (later.service(NAME).grpc, later.service(NAME).metrics) == (grpc, metrics)


def test_a_port_that_the_environment_names_is_taken(later: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{NAME.upper()}_GRPC_PORT", "what the layout has read")
    kept = later.service(NAME).metrics
    before = later.service(NAME).grpc
    later.restart([NAME])
    assert later.service(NAME).grpc != before
    assert later.service(NAME).metrics == kept


def test_where_nothing_runs_the_ports_are_those_of_the_shell(stack: Stack, later: Stack) -> None:
    before = stack.service(NAME).grpc
    later.stop([NAME, "product_svc"])
    later.restart([NAME])
    assert later.service(NAME).grpc != before
