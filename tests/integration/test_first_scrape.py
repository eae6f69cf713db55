"""The first scrape of Prometheus: every counter is at zero, so that the first count is an increase."""

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
from ordersaga.messages import RECORDS
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

import order_svc.handlers
from devstack.layout import MANIFESTS, ROOT
from devstack.ports import free_port
from devstack.services import NAMES
from sagakit.dead_letters.letter import REASONS
from tests.support.wait import eventually


@pytest.fixture(scope="module")
def scraped() -> Iterator[dict[str, dict[str, list[Sample]]]]:
    """Each service's counters and their series: services that have just started, and reach no server."""
    with ExitStack() as stack:
        metrics = {name: f"127.0.0.1:{free_port()}" for name in NAMES}
        for name, address in metrics.items():
            settings = {
                "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1",
                "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1",
                "DATABASE_URL": "postgresql://nobody:nothing@127.0.0.1:1/nothing",
                "GRPC_LISTEN": f"127.0.0.1:{free_port()}",
                "METRICS_LISTEN": address,
            }
            process = subprocess.Popen(
                [sys.executable, "-m", name], env={**os.environ, **settings}, cwd=ROOT, stderr=subprocess.DEVNULL
            )
            stack.callback(process.wait, 30)
            stack.callback(process.kill)
        yield {name: eventually(partial(scrape, address), 60) for name, address in metrics.items()}


def scrape(address: str) -> dict[str, list[Sample]]:
    try:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    except OSError as error:
        raise AssertionError("it does not listen yet") from error
    return {
        family.name: [sample for sample in family.samples if sample.name.endswith("_total")]
        for family in families
        if family.type == "counter" and family.name.startswith(("ordersaga_", "sagakit_"))
    }


@pytest.mark.parametrize("service", NAMES)
def test_no_counter_is_without_a_series(scraped: dict[str, dict[str, list[Sample]]], service: str) -> None:
    assert [name for name, series in scraped[service].items() if not series] == []
    assert {sample.value for series in scraped[service].values() for sample in series} == {0.0}


@pytest.mark.parametrize("service", NAMES)
def test_every_reason_for_a_dead_letter_is_there_for_each_topic(
    scraped: dict[str, dict[str, list[Sample]]], service: str
) -> None:
    series = {(one.labels["topic"], one.labels["reason"]) for one in scraped[service]["sagakit_dead_letters"]}
    reasons = {*REASONS, *(order_svc.handlers.REASONS if service == "order_svc" else ())}
    assert series == {(topic, reason) for topic in MANIFESTS[service].topics for reason in reasons}


def test_every_topic_is_counted_by_who_publishes_it(scraped: dict[str, dict[str, list[Sample]]]) -> None:
    published = {one.labels["topic"] for families in scraped.values() for one in families["sagakit_messages_published"]}
    assert published == {record.TOPIC for record in RECORDS} | {f"{name}.dlq" for name in NAMES}


def test_calls_are_counted_by_method_and_code(scraped: dict[str, dict[str, list[Sample]]]) -> None:
    series = {(one.labels["method"], one.labels["code"]) for one in scraped["order_svc"]["sagakit_rpcs"]}
    for method in ("CreateOrder", "CreateOrders", "GetOrder", "ListOrders", "CancelOrder", "WatchOrder"):
        for code in ("OK", "INVALID_ARGUMENT", "NOT_FOUND", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"):
            assert (method, code) in series
