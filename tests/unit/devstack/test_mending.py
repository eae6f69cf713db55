"""What a crash, a strict umask, a proxy or a stranger on a port must not break."""

import os
import socket
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from devstack.errors import DevstackError
from devstack.layout import Layout, keep_loopback_off_proxies, make_passable
from devstack.ports import choose_port, free_port
from devstack.postgres import Postgres
from devstack.processes import ManagedProcess
from devstack.state import State


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.listen()
        yield stranger.getsockname()[1]


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_server_comes_back_on_its_port() -> None:
    port = free_port()
    assert choose_port(0, port, "Kafka", "KAFKA_PORT") == port


def test_a_port_that_a_stranger_has_taken_since_is_given_up(taken: int) -> None:
    assert choose_port(0, taken, "Kafka", "KAFKA_PORT") != taken


def test_a_port_that_was_asked_for_is_not_given_up(taken: int) -> None:
    with pytest.raises(DevstackError, match="KAFKA_PORT"):
        choose_port(taken, 0, "Kafka", "KAFKA_PORT")


def test_no_outgoing_connection_is_ever_given_a_free_port() -> None:
    assert all(port < 32_768 for port in (free_port() for _ in range(50)))


@pytest.mark.usefixtures("umask")
def test_a_strict_umask_does_not_lock_postgresql_out(tmp_path: Path) -> None:
    folder = tmp_path / "clone" / ".devstack"
    make_passable(folder)
    assert [stat.S_IMODE(one.stat().st_mode) for one in (folder, folder.parent)] == [0o755, 0o755]


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    make_passable(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_proxy_is_not_asked_for_what_is_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    keep_loopback_off_proxies()
    keep_loopback_off_proxies()
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == "example.org,127.0.0.1,localhost"


def test_the_state_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    State(tmp_path / "state.json").put("kafka", service=False, record={"pid": 1})
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


def test_what_was_stopped_has_no_pid_but_keeps_its_port(tmp_path: Path) -> None:
    state = State(tmp_path / "state.json")
    process = ManagedProcess(state, "kafka", tmp_path / "kafka.log")
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    process.launch(sleep, env=dict(os.environ), record={"port": 9092})
    process.stop(5)
    assert state.get("kafka")["pid"] is None
    assert state.get("kafka")["port"] == 9092


@pytest.mark.parametrize("seconds", [-86_400.0, 1.0, 200.0])
def test_a_clock_that_is_set_does_not_make_a_process_a_stranger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    process = ManagedProcess(State(tmp_path / "state.json"), "kafka", tmp_path / "kafka.log")
    process.launch([sys.executable, "-c", "import time; time.sleep(60)"], env=dict(os.environ), record={})
    before = psutil.boot_time()  # which the kernel derives from the clock, as it is set now
    monkeypatch.setattr("psutil._psplatform.boot_time", lambda: before + seconds)
    assert process.pid is not None
    process.stop(5)


def test_data_without_their_password_are_reported_not_wiped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)  # root's data may lie elsewhere
    (tmp_path / "postgres" / "data").mkdir(parents=True)
    postgres = Postgres(Layout.fresh(tmp_path), State(tmp_path / "state.json"))
    with pytest.raises(DevstackError, match=r"postgres\.password is missing"):
        postgres.start()
    assert (tmp_path / "postgres" / "data").is_dir()
