"""The console as a part of the stack: where it is, that it starts alone, and when it is started anew."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import console
from devstack.layout import Layout
from devstack.ports import free_port
from devstack.stack import Stack

NOWHERE = {
    "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "SCHEMA_REGISTRY_URL": "http://127.0.0.1:9",
    **{f"{name}_SVC_ADDRESS": "127.0.0.1:9" for name in ("ORDER", "PRODUCT", "DELIVERY", "ORCHESTRATOR")},
}


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    monkeypatch.delenv(console.PORT_VARIABLE, raising=False)
    stack = Stack(Layout(tmp_path, console_port=free_port()))
    yield stack
    stack.console.kill()


def test_it_has_a_port_of_its_own_which_a_variable_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(console.PORT_VARIABLE, raising=False)
    assert Layout.from_environment().console_port == 8088
    monkeypatch.setenv(console.PORT_VARIABLE, "18088")
    assert Layout.from_environment().console_port == 18088


def test_a_stack_of_tests_starts_none_by_itself(tmp_path: Path) -> None:
    assert Stack.fresh(tmp_path).consoles == []


def test_it_starts_where_nothing_that_it_asks_is_there_and_says_so(stack: Stack) -> None:
    stack.console.launch(NOWHERE)
    stack.console.wait_ready()
    with urllib.request.urlopen(stack.console.url, timeout=20) as answer:  # noqa: S310 - it is ours
        text = answer.read().decode()
    assert "order_svc, orchestrator_svc, product_svc and delivery_svc are not ready" in text
    record = stack.state["console"]
    assert isinstance(record, dict)
    assert record.keys() >= {"pid", "url", "log"}


def test_it_is_started_anew_where_its_code_has_changed_or_the_services_have_moved_and_keeps_its_port(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    stack.console.launch(NOWHERE, told.append)
    first, url = stack.console.pid, stack.console.url
    stack.console.launch(NOWHERE, told.append)
    assert stack.console.pid == first
    assert told == ["starting"]  # nobody is told that what runs on is starting
    stack.console.launch({**NOWHERE, "ORDER_SVC_ADDRESS": "127.0.0.1:10"}, told.append)
    assert told == ["starting"] * 2
    second = stack.console.pid
    assert second != first
    assert stack.stale == []
    monkeypatch.setattr(console, "_fingerprint", lambda: "another")
    assert stack.stale == ["console"]
    stack.console.launch({**NOWHERE, "ORDER_SVC_ADDRESS": "127.0.0.1:10"})
    assert stack.console.pid != second
    assert stack.console.url == url
