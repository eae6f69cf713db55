"""The Prometheus of a stack: started where it is asked for, known to whoever comes later, stopped with the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import go_programs
from devstack.errors import DevstackError
from devstack.layout import Layout
from devstack.stack import Stack

READS = {"order_svc": "127.0.0.1:1"}
FIRST_BUILD_SECONDS = 2700
"""Go builds Prometheus once for each user."""


@pytest.fixture
def observing(tmp_path: Path) -> Iterator[Stack]:
    """A stack of which only the Prometheus runs."""
    stack = Stack(Layout.fresh(tmp_path, observe=True))
    stack.observers.prometheus.launch(READS)
    try:
        stack.observers.prometheus.wait_ready()
        yield stack
    finally:
        stack.observers.prometheus.stop()


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_the_state_file_names_it_and_down_stops_it_also_for_who_did_not_ask_for_it(observing: Stack) -> None:
    record = observing.state["prometheus"]
    assert isinstance(record, dict)
    assert record["url"] == observing.observers.prometheus.url
    assert record["url"].startswith("http://127.0.0.1:")
    later = Stack(Layout.fresh(observing.folder))
    assert later.observers.prometheus in later.parts
    later.down()
    assert observing.observers.prometheus.pid is None
    assert not observing.observers.prometheus.ready()


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_it_goes_on_as_it_is_unless_a_service_has_moved_and_keeps_its_address(observing: Stack) -> None:
    prometheus = observing.observers.prometheus
    pid, url = prometheus.pid, prometheus.url
    prometheus.launch(READS)
    assert prometheus.pid == pid
    prometheus.launch({"order_svc": "127.0.0.1:2"})
    prometheus.wait_ready()
    assert prometheus.pid not in {pid, None}
    assert prometheus.url == url


def test_a_stack_that_is_not_asked_for_it_has_none(tmp_path: Path) -> None:
    stack = Stack(Layout.fresh(tmp_path))
    assert stack.observers.prometheus not in stack.parts


def test_a_start_that_asks_for_it_where_it_cannot_be_built_fails_at_once_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(go_programs, "VERSION", "v0.0.0")  # one that no cache has
    monkeypatch.setenv("PATH", str(tmp_path))
    stack = Stack.fresh(tmp_path / "stack", observe=True)
    told: list[str] = []
    try:
        with pytest.raises(
            DevstackError, match=r"(prometheus and promtool are|collector is) built by Go, which is not on the PATH"
        ):
            stack.up(lambda name, doing: told.append(f"{name} {doing}"))
        assert "order_svc starting" not in told
        assert [part.name for part in stack.parts if part.pid is not None] == []
    finally:
        stack.purge()
