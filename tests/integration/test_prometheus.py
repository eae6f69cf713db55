"""The Prometheus of a stack: started where it is asked for, known to whoever comes later, stopped with the rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.layout import Layout
from devstack.stack import Stack

READS = {"order_svc": "127.0.0.1:1"}
FIRST_BUILD_SECONDS = 2700
"""Go builds Prometheus once for each user."""


@pytest.fixture
def observing(tmp_path: Path) -> Iterator[Stack]:
    """A stack of which only the Prometheus runs."""
    stack = Stack(Layout.fresh(tmp_path, observe=True))
    stack.prometheus.launch(READS)
    try:
        stack.prometheus.wait_ready()
        yield stack
    finally:
        stack.prometheus.stop()


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_the_state_file_names_it_and_down_stops_it_also_for_who_did_not_ask_for_it(observing: Stack) -> None:
    record = observing.state["prometheus"]
    assert isinstance(record, dict)
    assert record["url"] == observing.prometheus.url
    assert record["url"].startswith("http://127.0.0.1:")
    later = Stack(Layout.fresh(observing.folder))
    assert later.prometheus in later.parts
    later.down()
    assert observing.prometheus.pid is None
    assert not observing.prometheus.ready()


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_it_goes_on_as_it_is_unless_a_service_has_moved_and_keeps_its_address(observing: Stack) -> None:
    prometheus = observing.prometheus
    pid, url = prometheus.pid, prometheus.url
    prometheus.launch(READS)
    assert prometheus.pid == pid
    prometheus.launch({"order_svc": "127.0.0.1:2"})
    prometheus.wait_ready()
    assert prometheus.pid not in {pid, None}
    assert prometheus.url == url


def test_a_stack_that_is_not_asked_for_it_has_none(tmp_path: Path) -> None:
    stack = Stack(Layout.fresh(tmp_path))
    assert stack.prometheus not in stack.parts
