"""Ports and folders: the defaults of the README, overridable, and a clear line where something is in the way."""

import os
import socket
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.layout import Layout, free_port, must_be_free, reachable_for_others


def test_the_services_have_the_ports_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in ("ORDER", "PRODUCT", "DELIVERY", "ORCHESTRATOR"):  # whatever the caller's own are
        monkeypatch.delenv(f"{service}_SVC_GRPC_PORT", raising=False)
        monkeypatch.delenv(f"{service}_SVC_METRICS_PORT", raising=False)
    layout = Layout.from_environment()
    assert list(layout.grpc_ports.values()) == [50051, 50052, 50053, 50054]
    assert list(layout.metrics_ports.values()) == [9101, 9102, 9103, 9104]


def test_a_variable_changes_a_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCT_SVC_GRPC_PORT", "60052")
    monkeypatch.setenv("KAFKA_PORT", "9092")
    layout = Layout.from_environment()
    assert layout.grpc_ports["product_svc"] == 60052
    assert layout.server_ports["kafka"] == 9092


@pytest.mark.parametrize("value", ["kafka", "-1", "70000", "1.5"])
def test_what_is_no_port_is_refused_by_the_variable_s_name(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("KAFKA_PORT", value)
    with pytest.raises(DevstackError, match=rf"KAFKA_PORT={value}: must be a port"):
        Layout.from_environment()


def test_a_port_in_use_is_told_with_its_holder_and_the_variable_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevstackError) as caught:
            must_be_free(port, "order_svc's gRPC API", "ORDER_SVC_GRPC_PORT")
    told = str(caught.value)
    assert f"port {port} for order_svc's gRPC API is in use by " in told
    assert f"(pid {os.getpid()})" in told
    assert "ORDER_SVC_GRPC_PORT=" in told
    assert "\n" not in told


def test_a_free_port_is_free() -> None:
    must_be_free(free_port(), "a test", "NOTHING")


def test_a_folder_below_a_private_one_is_out_of_reach_for_others(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    assert not reachable_for_others(private / "not" / "made" / "yet")
    assert reachable_for_others(Path("/usr/share"))
