"""Ports and folders: the documented defaults, overridable, and a clear line where something is in the way."""

import os
import pwd
import socket
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.layout import Layout, cache, grpc_variable, metrics_variable, reachable_for_others
from devstack.ports import free_port, must_be_free
from devstack.postgres import Postgres
from devstack.services import NAMES
from devstack.state import State


def test_the_services_have_the_ports_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    for service in NAMES:  # whatever the caller's own are
        monkeypatch.delenv(grpc_variable(service), raising=False)
        monkeypatch.delenv(metrics_variable(service), raising=False)
    layout = Layout.from_environment()
    assert list(layout.grpc_ports.values())[:4] == [50051, 50052, 50053, 50054]
    assert list(layout.metrics_ports.values())[:4] == [9101, 9102, 9103, 9104]


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


def test_a_port_in_use_is_reported_with_its_holder_and_the_variable_to_change() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DevstackError) as caught:
            must_be_free(port, "order_svc's gRPC API", "ORDER_SVC_GRPC_PORT")
    text = str(caught.value)
    assert f"port {port} for order_svc's gRPC API is in use by " in text
    assert f"(pid {os.getpid()})" in text
    assert "ORDER_SVC_GRPC_PORT=" in text
    assert "\n" not in text


def test_a_free_port_is_free() -> None:
    must_be_free(free_port(), "a test", "NOTHING")


def test_a_folder_below_a_private_one_is_out_of_reach_for_others(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    assert not reachable_for_others(private / "not" / "made" / "yet")
    assert reachable_for_others(Path("/usr/share"))


def test_a_link_is_as_private_as_what_it_leads_to(tmp_path: Path) -> None:
    private = tmp_path / "private"
    (private / "data").mkdir(parents=True)
    private.chmod(0o700)
    (tmp_path / "link").symlink_to(private / "data")
    assert not reachable_for_others(tmp_path / "link")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"HOME": "/home/ann"}, "/home/ann/.cache/order-saga"),
        ({}, f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cache/order-saga"),
        ({"HOME": ""}, f"{pwd.getpwuid(os.geteuid()).pw_dir}/.cache/order-saga"),
        ({"HOME": "/home/ann", "XDG_CACHE_HOME": "/srv/a b"}, "/srv/a b/order-saga"),
        ({"HOME": "/home/ann", "XDG_CACHE_HOME": "not/absolute"}, "/home/ann/.cache/order-saga"),
    ],
)
def test_downloads_are_kept_below_the_home_folder_that_is_known(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert str(cache()) == expected


def test_a_user_without_any_home_folder_learns_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 3_999_999_999)
    with pytest.raises(DevstackError, match="user 3999999999 has no home folder; set HOME, or XDG_CACHE_HOME"):
        cache()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """What stands for ``/var/lib/order-saga``, where the user is root and the data folder private."""
    monkeypatch.setattr("devstack.layout._OUTSIDE", tmp_path / "var")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "private").mkdir(mode=0o700)
    return tmp_path / "var"


def test_postgresql_s_data_stay_where_they_were_made_whoever_may_get_there_now(outside: Path, tmp_path: Path) -> None:
    layout = Layout.fresh(tmp_path / "private" / "stack")
    assert layout.postgres == layout.outside
    assert layout.outside.parent == outside
    (layout.data / "postgres" / "data").mkdir(parents=True)
    assert layout.postgres == layout.data / "postgres"


def test_removing_the_data_leaves_nothing_outside_but_what_is_another_stack_s(outside: Path, tmp_path: Path) -> None:
    mine, other = (Layout.fresh(tmp_path / "private" / name) for name in ("mine", "other"))
    for layout in (mine, other):
        (layout.outside / "data").mkdir(parents=True)
    Postgres(mine, State(mine.data / "state.json")).remove()
    assert list(outside.iterdir()) == [other.outside]
    Postgres(other, State(other.data / "state.json")).remove()
    assert not outside.exists()


def test_servers_of_one_database_each_keep_their_data_apart_and_leave_nothing(outside: Path, tmp_path: Path) -> None:
    layout = Layout.fresh(tmp_path / "private" / "stack", databases_apart=True)
    for service in ("order_svc", "product_svc"):
        (layout.outside / service / "data").mkdir(parents=True)
    orders, products = (
        Postgres(layout, State(layout.data / "state.json"), service) for service in ("order_svc", "product_svc")
    )
    orders.remove()
    assert [folder.name for folder in layout.outside.iterdir()] == ["product_svc"]
    products.remove()
    assert not outside.exists()
