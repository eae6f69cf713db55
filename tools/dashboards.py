"""Grafana's dashboards, made of a list of panels: part of ``make gen``.

Grafana's files are long and say little, so they are written here and kept in the chart. Panels show what the rules
alert on, and what the runbook asks for next.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tools.chart_readme import CHART

FOLDER = CHART / "files" / "dashboards"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_WIDTH, _HEIGHT = 12, 8
_HERE = 'namespace=~"$namespace"'


class Panel(NamedTuple):
    """One chart of a dashboard. In its expressions ``HERE`` stands for what picks the namespace that is chosen."""

    title: str
    unit: str
    """Grafana's name of it: ``s``, ``short``, ``percentunit``, ``reqps``."""
    lines: Sequence[tuple[str, str]]
    """Each an expression and its legend."""


def _quantiles(metric: str, by: str) -> list[tuple[str, str]]:
    expression = "histogram_quantile({}, sum by (le, {}) (rate({}_bucket{{HERE}}[$__rate_interval])))"
    return [(expression.format(share / 100, by, metric), f"p{share} {{{{{by}}}}}") for share in (50, 99)]


def _rate(metric: str, by: str) -> tuple[str, str]:
    return f"sum by ({by}) (rate({metric}{{HERE}}[$__rate_interval]))", f"{{{{{by}}}}}"


ORDERS = [
    Panel("Calls of CreateOrder that fail", "percentunit", [
        ("namespace:create_order_errors:ratio_rate5m{HERE}", "5 min"),
        ("namespace:create_order_errors:ratio_rate1h{HERE}", "1 h"), ("0.001", "objective")]),
    Panel("Sagas later than 10 s", "percentunit", [("namespace:sagas_late:ratio_rate5m{HERE}", "5 min"),
        ("namespace:sagas_late:ratio_rate1h{HERE}", "1 h"), ("0.01", "objective")]),
    Panel("Sagas that end", "reqps", [_rate("sagakit_sagas_ended_total", "status")]),
    Panel("From a saga's start to its end", "s", _quantiles("sagakit_saga_seconds", "status")),
    Panel("Sagas under way", "short", [("max by (step, status) (sagakit_sagas_pending{HERE})", "{{step}} {{status}}")]),
    Panel("Stuck and retrying sagas", "short", [("max by (step) (sagakit_sagas_stuck{HERE})", "stuck {{step}}"),
        ("max by (step) (sagakit_sagas_retrying{HERE})", "retrying {{step}}")]),
    Panel("From a step's command to its answer", "s", _quantiles("sagakit_saga_step_seconds", "step")),
    Panel("Sagas that are undone, by reason", "reqps", [_rate("sagakit_saga_compensations_total", "reason")]),
]  # fmt: skip
"""Orders as their callers see them, and the sagas behind them."""

SERVICES = [
    Panel("Ready", "short", [("min by (job) (sagakit_ready{HERE})", "{{job}}")]),
    Panel("Halted, held back", "short", [("max by (job) (sagakit_consumer_halted{HERE})", "halted {{job}}"),
        ("max by (job) (sagakit_messages_held_back{HERE})", "held back {{job}}")]),
    Panel("Messages that wait", "short", [("sum by (topic) (sagakit_consumer_lag_messages{HERE})", "{{topic}}")]),
    Panel("Messages handled", "reqps", [_rate("sagakit_messages_consumed_total", "topic")]),
    Panel("Dead letters in the last half hour", "short", [
        ("sum by (topic, reason) (increase(sagakit_dead_letters_total{HERE}[30m])) > 0", "{{topic}} {{reason}}")]),
    Panel("Batches", "s", _quantiles("sagakit_batch_seconds", "job")),
    Panel("Rows in the outbox", "short", [("max(sagakit_outbox_rows{HERE})", "rows")]),
    Panel("Age of the outbox's oldest row", "s", [("max(sagakit_outbox_oldest_seconds{HERE})", "oldest")]),
    Panel("Calls by their end", "reqps", [_rate("sagakit_rpcs_total", "code")]),
    Panel("Duration of calls", "s", _quantiles("sagakit_rpc_seconds", "method")),
    Panel("Lag of the event loop", "s", _quantiles("sagakit_event_loop_lag_seconds", "job")),
    Panel("Connections to databases in use", "short", [
        ("max by (job) (sagakit_database_connections_in_use{HERE})", "{{job}}")]),
]  # fmt: skip
"""The services, their messages and their calls."""


def dashboards() -> Iterator[tuple[str, str]]:
    """Yield the name of each file and what it has to be."""
    for name, title, panels in (
        ("orders", "Order Saga: orders", ORDERS),
        ("services", "Order Saga: services", SERVICES),
    ):
        yield f"order-saga-{name}.json", json.dumps(_dashboard(f"order-saga-{name}", title, panels), indent=1) + "\n"


def _dashboard(uid: str, title: str, panels: Sequence[Panel]) -> dict[str, object]:
    namespace = {
        "name": "namespace",
        "type": "query",
        "datasource": _SOURCE,
        "query": "label_values(sagakit_ready, namespace)",
        "refresh": 2,
        "includeAll": True,
        "allValue": ".*",  # also what has no namespace: without Kubernetes nothing has one
        "current": {"text": "All", "value": "$__all"},
    }
    return {
        "uid": uid,
        "title": title,
        "tags": ["order-saga"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [{"name": "datasource", "type": "datasource", "query": "prometheus"}, namespace]},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, object]:
    place = {"x": number % 2 * _WIDTH, "y": number // 2 * _HEIGHT, "w": _WIDTH, "h": _HEIGHT}
    return {
        "id": number + 1,
        "type": "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": [
            {"refId": chr(ord("A") + index), "expr": expression.replace("HERE", _HERE), "legendFormat": legend}
            for index, (expression, legend) in enumerate(panel.lines)
        ],
    }


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in dashboards():
        (FOLDER / file).write_text(text)
    sys.exit(0)
