"""What watches the stack: what services are told of the collector, and when they are started anew for it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.collector import Collector
from devstack.layout import Layout
from devstack.stack import Stack
from devstack.zipkin import Zipkin

SLEEP = ("-c", "import time; time.sleep(60)")
SERVERS = ("postgresql://a:b@h/orders", "kafka", "registry")


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """A stack of which nothing runs yet; its Zipkin and its collector are processes that do nothing."""
    idle = [sys.executable, *SLEEP]
    for kind in (Zipkin, Collector):
        monkeypatch.setattr(kind, "_command", lambda *_: (idle, {}))
    stack = Stack(Layout.fresh(tmp_path, observe=True))
    yield stack
    for part in stack.parts:
        part.kill()


def test_services_record_all_and_send_it_to_the_collector_where_it_runs(stack: Stack) -> None:
    collector = stack.observers.collector
    assert collector.settings == {}
    stack.observers.launch_viewer()
    assert collector.settings["OTEL_EXPORTER_OTLP_ENDPOINT"] == collector.url
    assert collector.settings["OTEL_TRACES_SAMPLER"] == "parentbased_always_on"
    assert stack.state["collector"]["asks"] == {"zipkin": stack.observers.zipkin.url}  # type: ignore[index]
    collector.kill()
    assert collector.settings == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://elsewhere:4317"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://elsewhere:4317"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_SDK_DISABLED", "true"),
    ],
)
def test_who_says_himself_where_spans_go_is_not_overruled(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    stack.observers.launch_viewer()
    monkeypatch.setenv(name, value)
    assert stack.observers.collector.settings == {}


def test_who_says_himself_what_is_recorded_is_not_overruled(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.observers.launch_viewer()
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    assert "OTEL_TRACES_SAMPLER" not in stack.observers.collector.settings
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in stack.observers.collector.settings


def test_a_service_is_started_anew_once_there_is_a_collector_and_not_again(stack: Stack) -> None:
    service = stack.service("order_svc")
    service.launch(*SERVERS, program=SLEEP)
    assert service.is_current(*SERVERS)
    stack.observers.launch_viewer()
    assert not service.is_current(*SERVERS)
    service.launch(*SERVERS, program=SLEEP)
    assert service.is_current(*SERVERS)


def test_it_is_told_what_starts_and_not_what_runs_already(stack: Stack) -> None:
    told: list[tuple[str, str]] = []
    for _ in range(2):
        stack.observers.launch_viewer(lambda *news: told.append(news))
    assert told == [("zipkin", "starting"), ("collector", "starting")]


def test_the_console_links_zipkin_while_that_runs(stack: Stack) -> None:
    assert "CONSOLE_TRACE_URL" not in stack.console_asks
    stack.observers.launch_viewer()
    assert stack.console_asks["CONSOLE_TRACE_URL"] == f"{stack.observers.zipkin.url}/zipkin/traces/{{trace_id}}"


def test_what_runs_is_a_part_also_for_who_did_not_ask_for_it(stack: Stack) -> None:
    stack.observers.launch_viewer()
    later = Stack(Layout.fresh(stack.folder))
    assert [part.name for part in later.observers.parts] == ["zipkin", "collector"]
    later.down()
    assert later.observers.parts == []
