"""Figures: their percentiles and ratios, and how rounds are kept, shown and saved."""

import json
from pathlib import Path

import pytest

from bench.figures import quantile, ratios, times
from bench.plan import Plan
from bench.report import save, show


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(rounds=2, seconds=1, sizes=[10], backlog=10, folder=tmp_path)


def test_a_quantile_is_one_of_the_times_in_milliseconds() -> None:
    seconds = [place / 1000 for place in range(1, 101)]
    assert quantile(seconds, 0.5) == 51
    assert quantile(seconds, 0.99) == 100
    assert quantile([0.002], 0.99) == 2


def test_percentiles_bear_the_name_of_what_was_timed() -> None:
    assert times("create", [0.001, 0.003], 50, 99) == {"create p50 ms": 3, "create p99 ms": 3}


def test_ratios_are_shown_of_what_both_have() -> None:
    assert ratios({"a": 3.0, "b": 1.0, "c": 1.0}, {"a": 2.0, "b": 0.0}) == {"a": 1.5}


def test_rounds_are_kept_by_name_and_shown_at_once(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.keep("idle", {"create p50 ms": 3.0})
    plan.keep("idle", {"create p50 ms": 4.0})
    assert plan.measured == {"idle": [{"create p50 ms": 3.0}, {"create p50 ms": 4.0}]}
    assert "idle: create p50 ms 3.0" in capsys.readouterr().err


def test_what_is_left_out_is_shown_and_saved_with_its_reason(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    plan.leave_out("ghz", "there is no Go")
    assert "ghz: left out: there is no Go" in capsys.readouterr().err
    path = plan.folder / "new" / "latest.json"
    save(plan.measured, plan.left_out, path)
    assert json.loads(path.read_text())["left_out"] == {"ghz": "there is no Go"}


def test_the_table_shows_median_least_and_most(plan: Plan, capsys: pytest.CaptureFixture[str]) -> None:
    for value in (1.0, 20.0, 3000.0):
        plan.keep("idle", {"create p50 ms": value})
    show(plan.measured)
    (row,) = [line for line in capsys.readouterr().out.splitlines() if "create p50 ms" in line]
    assert [cell.strip() for cell in row.split("│")[2:7]] == ["create p50 ms", "20.0", "1.000", "3,000", "3"]
