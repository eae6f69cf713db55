"""Each alert is explained in the runbook, is shown to fire and to be quiet, and names metrics that there are."""

import re
from collections import defaultdict
from typing import Any

import pytest
import yaml

from devstack.rules import CASES
from sagakit.service.manifest import found
from tests.support.rules import ALERTS, METRIC, RECORDED, RULE_LIST, SHOWN
from tools.paths import ROOT


def sections() -> dict[str, str]:
    """The runbook's text about each alert."""
    parts = re.split(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def expectations() -> dict[str, set[bool]]:
    """Whether the cases expect each alert to fire: once it must, once it must not."""
    cases: dict[str, set[bool]] = defaultdict(set)
    for path in CASES.glob("*.yaml"):
        for test in yaml.safe_load(path.read_text())["tests"]:
            for expected in test["alert_rule_test"]:
                cases[expected["alertname"]].add(bool(expected["exp_alerts"]))
    return cases


def test_the_runbook_has_a_section_for_each_alert_and_none_without() -> None:
    assert list(sections()) == list(ALERTS)


def test_each_section_says_what_it_means_what_to_do_and_when_it_is_over() -> None:
    for name, text in sections().items():
        assert "**It means**" in text, name
        assert "**Look**" in text, name
        assert "```console" in text, name
        assert "**Over**" in text, name


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_what_is_wrong_how_urgent_it_is_and_where_to_read_on(name: str) -> None:
    annotations: dict[str, Any] = ALERTS[name]["annotations"]
    assert annotations["runbook"] == f"docs/runbook.md#{name.lower()}"
    assert annotations["summary"]
    assert annotations["description"]
    assert ALERTS[name]["labels"]["severity"] in {"page", "ticket"}


def test_each_alert_is_shown_to_fire_and_to_be_quiet() -> None:
    assert expectations() == {name: {True, False} for name in ALERTS}


def test_rules_use_metrics_that_there_are_and_records_of_their_own() -> None:
    used = {name for rule in RULE_LIST for name in METRIC.findall(rule["expr"])}
    assert used
    assert used - SHOWN == set()
    assert {name for rule in RULE_LIST for name in re.findall(r"namespace:\w+:\w+", rule["expr"])} == RECORDED


def test_a_service_that_is_down_is_noticed_whichever_it_is_here_and_on_kubernetes() -> None:
    (pattern,) = re.findall(r'up\{job=~"([^"]+)"', ALERTS["ServiceDown"]["expr"])
    for name in found(ROOT):
        noun = name.removesuffix("_svc")
        for job in (name, f"demo-{noun}-svc", f"demo-{noun}-metrics"):
            assert re.fullmatch(pattern, job), job
