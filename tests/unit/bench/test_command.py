"""The command: which measurements it runs, and what it leaves behind."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from click.testing import CliRunner

from bench import __main__ as command
from bench.plan import Measurement, Plan
from bench.rig import Rig


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the measurements that are run; each yields a figure, and no stack is started."""
    names: list[str] = []

    @contextmanager
    def no_rig(_: float) -> Iterator[Rig]:
        yield cast("Rig", None)

    def noted(name: str) -> Measurement:
        def measure(_: Rig, plan: Plan) -> None:
            names.append(name)
            plan.keep(name, {"figure": 1.0})

        return measure

    monkeypatch.setattr(command, "rig", no_rig)
    monkeypatch.setattr(command, "MEASUREMENTS", {name: noted(name) for name in command.MEASUREMENTS})
    return names


def test_by_default_everything_is_measured_and_flames_are_drawn_last(ran: list[str], tmp_path: Path) -> None:
    path = tmp_path / "latest.json"
    result = CliRunner().invoke(command.main, ["--json", str(path)])
    assert result.exit_code == 0, result.output
    assert ran == list(command.MEASUREMENTS)
    assert ran[-1] == "flames"
    assert set(json.loads(path.read_text())["rounds"]) == set(ran)


def test_only_what_is_named_is_measured(ran: list[str], tmp_path: Path) -> None:
    CliRunner().invoke(command.main, ["--only", "growth", "--only", "idle", "--json", str(tmp_path / "latest.json")])
    assert ran == ["idle", "growth"]


def test_a_name_that_is_none_is_refused(ran: list[str]) -> None:
    result = CliRunner().invoke(command.main, ["--only", "speed"])
    assert result.exit_code == 2
    assert "half-load" in result.output
    assert ran == []
