"""The schema registry as a part of the stack: what a second start says of one that runs."""

import os
import sys
from pathlib import Path

import pytest

from devstack.layout import Layout
from devstack.processes import ManagedProcess
from devstack.registry import Registry
from devstack.state import State


def test_of_one_that_runs_nobody_is_told_that_it_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state, told = State(tmp_path / "state.json"), list[str]()
    process = ManagedProcess(state, "registry", tmp_path / "registry.log")
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    process.launch(sleep, env=dict(os.environ), record={"kafka": "127.0.0.1:9"})
    registry = Registry(Layout.fresh(tmp_path), state)
    monkeypatch.setattr(registry, "ready", lambda: True)
    registry.launch("127.0.0.1:9", told.append)
    registry.start(told.append)
    assert told == []
    assert registry.pid == process.pid
    process.kill()
