"""A real Prometheus beside the stack: it reads all services, and an alert comes and goes with its cause."""

import json
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from devstack.prometheus import Prometheus
from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.hurry import hurried
from tests.support.rules import ALERTS
from tests.support.shop import Shop
from tests.support.wait import eventually
from tools.dashboards import dashboards

FIRST_BUILD_SECONDS = 2700
"""Go builds Prometheus once for each user."""


@pytest.fixture
def observed(breakable: Stack) -> Iterator[Stack]:
    """The stack with an orchestrator in a hurry, and a Prometheus that reads it."""
    prometheus = breakable.observers.prometheus
    with hurried(breakable):
        prometheus.launch({name: breakable.service(name).metrics for name in NAMES})
        try:
            prometheus.wait_ready()
            yield breakable
        finally:
            prometheus.stop()


def asked(prometheus: Prometheus, path: str, **parameters: str) -> Any:
    """What Prometheus answers."""
    url = f"{prometheus.url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - ours
        return json.load(answer)["data"]


def firing(prometheus: Prometheus) -> set[str]:
    alerts = asked(prometheus, "alerts")["alerts"]
    return {one["labels"]["alertname"] for one in alerts if one["state"] == "firing"}


def read(prometheus: Prometheus) -> set[str]:
    """The services whose last scrape was answered."""
    found = asked(prometheus, "query", query="up == 1")["result"]
    return {one["metric"]["job"] for one in found}


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_all_services_are_read_and_stuck_sagas_raise_an_alert_until_their_participant_is_back(
    observed: Stack, shop: Shop
) -> None:
    prometheus = observed.observers.prometheus

    def all_are_read() -> None:
        assert read(prometheus) == set(NAMES)

    def an_operator_is_called() -> None:
        assert {"SagasStuck", "ServiceDown"} <= firing(prometheus)

    def nothing_is_stuck() -> None:
        assert not {"SagasStuck", "ServiceDown"} & firing(prometheus)

    eventually(all_are_read, 60)
    rules = [rule for group in asked(prometheus, "rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules if rule["type"] == "alerting"} == set(ALERTS)
    assert {rule["name"]: rule.get("lastError") for rule in rules if rule.get("lastError")} == {}
    product = shop.product(stock=10)
    observed.service("delivery_svc").stop()
    order = shop.place(product)
    eventually(an_operator_is_called, 300)
    assert shop.saga(order).saga.stuck
    observed.service("delivery_svc").start()
    eventually(nothing_is_stuck, 120)
    assert shop.final(order, 30).cancel_reason == "TIMED_OUT"
    assert shop.stock(product) == 10


@pytest.mark.timeout(FIRST_BUILD_SECONDS)
def test_prometheus_understands_what_each_panel_of_a_dashboard_asks(observed: Stack) -> None:
    panels = [panel for _, text in dashboards() for panel in json.loads(text)["panels"]]
    for panel in panels:
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "1m").replace("$namespace", ".*")
            assert asked(observed.observers.prometheus, "query", query=expression)["resultType"] in {"vector", "scalar"}
