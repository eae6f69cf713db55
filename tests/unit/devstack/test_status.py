"""``make status``: a report for people, and of one part in lines that scripts can take."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.__main__ import main
from devstack.layout import Layout
from devstack.stack import Stack


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS", "SCHEMA_REGISTRY_URL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("DEVSTACK_DATA", str(tmp_path))
    monkeypatch.setattr("devstack.__main__._end_in_good_order", lambda: None)  # pytest's process has its own endings
    return tmp_path


@pytest.fixture
def stack(data: Path) -> Iterator[Stack]:
    """A stack whose order_svc is a process that does nothing."""
    stack = Stack(Layout.fresh(data))
    program = ("-c", "import time; time.sleep(60)")
    stack.service("order_svc").launch("postgresql://a:b@h/orders", "kafka", "registry", program=program)
    yield stack
    stack.service("order_svc").kill()


def status(monkeypatch: pytest.MonkeyPatch, *names: str) -> int:
    return run(monkeypatch, "status", *names)


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["devstack", *words])
    return main()


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("command", ["status", "down"])
def test_that_nothing_runs_is_said_and_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert run(monkeypatch, command) == 0
    assert "Nothing runs; make up starts everything." in capsys.readouterr().out


def test_that_a_stack_is_closed_is_said_with_where_its_tokens_are(
    stack: Stack, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch) == 0
    assert "Closed" not in capsys.readouterr().out
    stack.security.begin()
    assert status(monkeypatch) == 0
    assert f"callers need TLS and a token, which lie in {data / 'security'}" in capsys.readouterr().out


def test_of_one_service_it_says_what_a_script_needs(
    stack: Stack, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, "order_svc") == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    service = stack.service("order_svc")
    assert said == {
        "part": "order_svc",
        "pid": str(service.pid),
        "grpc": service.grpc,
        "metrics": service.metrics,
        "dsn": "postgresql://a:b@h/orders",
        "log": str(data / "logs" / "order_svc.log"),
    }


@pytest.mark.usefixtures("data")
def test_a_part_that_does_not_exist_is_named_with_those_that_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, "ordr_svc") == 1
    assert "there is no ordr_svc; there are postgres, kafka" in capsys.readouterr().err
