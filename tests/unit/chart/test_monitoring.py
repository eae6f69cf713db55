"""Rules for the Prometheus operator, dashboards for Grafana's sidecar."""

import json
import re

import pytest
import yaml

from devstack.rules import RULES
from tests.support.rules import METRIC, RECORDED, SHOWN
from tests.unit.chart.rendering import PRODUCTION, objects, template
from tools.dashboards import FOLDER, dashboards


def test_neither_is_made_unless_it_is_asked_for() -> None:
    assert not [one for one in objects() if one[0] == "PrometheusRule" or "dashboard" in one[1]]


def test_the_operator_gets_the_rules_as_they_are_and_picks_them_as_it_does_the_monitor() -> None:
    rules = objects(values={"monitoring.rules": True, "serviceMonitor.labels": {"release": "prometheus"}})[
        "PrometheusRule", "demo-order-saga"
    ]
    assert rules["spec"] == yaml.safe_load(RULES.read_text())
    assert rules["metadata"]["labels"]["release"] == "prometheus"
    assert rules["metadata"]["namespace"] == "shop"


@pytest.mark.parametrize("options", [("--set=monitoring.dashboards=true",), PRODUCTION], ids=["alone", "production"])
def test_grafana_s_sidecar_finds_each_dashboard(options: tuple[str, ...]) -> None:
    found = {
        name: one for (kind, name), one in objects(*options).items() if kind == "ConfigMap" and "-dashboard-" in name
    }
    assert set(found) == {"demo-dashboard-orders", "demo-dashboard-services"}
    for one in found.values():
        assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
        ((file, text),) = one["data"].items()
        assert json.loads(text) == json.loads((FOLDER / file).read_text())


def test_what_else_is_asked_for_is_refused() -> None:
    refused = template("--set=monitoring.alerts=true")
    assert refused.returncode != 0
    assert "alerts" in refused.stderr


def test_the_dashboards_are_what_the_tool_writes_and_there_is_no_other() -> None:
    made = dict(dashboards())
    assert {path.name: path.read_text() for path in FOLDER.iterdir()} == made, "run `make gen`"


def test_dashboards_show_metrics_and_records_that_there_are() -> None:
    expressions = [
        target["expr"]
        for _, text in dashboards()
        for panel in json.loads(text)["panels"]
        for target in panel["targets"]
    ]
    used = {name for one in expressions for name in METRIC.findall(one)}
    assert used
    assert used - SHOWN == set()
    assert {name for one in expressions for name in re.findall(r"namespace:\w+:\w+", one)} <= RECORDED


def test_panels_stand_side_by_side_and_not_on_each_other() -> None:
    for _, text in dashboards():
        dashboard = json.loads(text)
        places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in dashboard["panels"]]
        assert len(set(places)) == len(places)
        assert all(one["targets"] for one in dashboard["panels"])
