"""Prometheus' rules as they are, and the metrics that rules and dashboards may name."""

import re

import yaml

from devstack.rules import RULES
from tools.paths import ROOT

RULE_LIST = [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]
ALERTS = {rule["alert"]: rule for rule in RULE_LIST if "alert" in rule}
RECORDED = {rule["record"] for rule in RULE_LIST if "record" in rule}
METRIC = re.compile(r"\b(?:sagakit|ordersaga)_[a-z_]+")
_PAGE = (ROOT / "docs" / "metrics.md").read_text()
SHOWN = {f"{name}{end}" for name in METRIC.findall(_PAGE) for end in ("", "_bucket", "_count", "_sum")}
"""The metrics of docs/metrics.md, with the parts of a histogram."""
