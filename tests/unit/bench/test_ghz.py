"""ghz: what its report says, and what happens where it cannot be had."""

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from bench import ghz
from bench.plan import Plan

if TYPE_CHECKING:
    from bench.rig import Rig

REPORT: dict[str, Any] = {
    "rps": 1234.5,
    "statusCodeDistribution": {"OK": 12_345},
    "latencyDistribution": [
        {"percentage": 50, "latency": 100_000_000},
        {"percentage": 95, "latency": 200_000_000},
        {"percentage": 99, "latency": 300_000_000},
    ],
}
NO_RIG = cast("Rig", None)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan(rounds=1, seconds=1, sizes=[], backlog=0, folder=tmp_path)


def test_its_latencies_are_nanoseconds() -> None:
    assert ghz.figures_of(REPORT) == {"answered calls/s": 1234.5, "create p50 ms": 100, "create p99 ms": 300}


def test_a_run_with_errors_yields_no_figures() -> None:
    with pytest.raises(RuntimeError, match="Unavailable"):
        ghz.figures_of({**REPORT, "statusCodeDistribution": {"OK": 1, "Unavailable": 1}})


def test_without_go_it_is_left_out_with_a_word(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(plan.folder))
    ghz.measure(NO_RIG, plan)
    assert plan.measured == {}
    assert "Go, which builds it, is not on the PATH" in capsys.readouterr().err


def test_where_it_cannot_be_built_it_is_left_out_with_what_go_said(
    plan: Plan, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    go = plan.folder / "go"
    go.write_text("#!/bin/sh\necho no network >&2; exit 1\n")
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plan.folder}:/bin:/usr/bin")
    ghz.measure(NO_RIG, plan)
    assert "no network" in capsys.readouterr().err


def test_it_is_built_once(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    go = plan.folder / "go"
    go.write_text('#!/bin/sh\necho "$@" >>"$GOBIN/asked"; touch "$GOBIN/ghz"\n')
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{plan.folder}:/bin:/usr/bin")
    folder = plan.folder / "bin"
    folder.mkdir()
    assert ghz.built(folder) == ghz.built(folder)
    assert (folder / "asked").read_text().splitlines() == [f"install {ghz.MODULE}"]


def test_a_run_that_fails_shows_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="ghz: no such host"):
        ghz.run(["/bin/sh", "-c", "echo no such host >&2; exit 1"], 1)
    monkeypatch.setattr(ghz, "_MORE_SECONDS", 0)
    with pytest.raises(subprocess.TimeoutExpired):
        ghz.run(["/bin/sleep", "5"], 0.2)
