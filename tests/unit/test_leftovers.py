"""What an interrupted run has left is stopped by what the state files of its stacks say."""

import sys
from pathlib import Path

from devstack.processes import ManagedProcess
from devstack.state import State
from tests.support.leftovers import stop_leftovers


def test_servers_and_services_of_every_stack_are_stopped(tmp_path: Path) -> None:
    sleeping = [sys.executable, "-c", "import time; time.sleep(600)"]
    left = []
    for lane in ("gw0", "gw1"):
        folder = tmp_path / lane / "stack"
        state = State(folder / "state.json")
        left += [
            ManagedProcess(state, "kafka", folder / "kafka.log"),
            ManagedProcess(state, "order_svc", folder / "order_svc.log", service=True),
        ]
    for process in left:
        process.launch(sleeping, env={}, record={})
    assert all(process.pid for process in left)
    (tmp_path / "state.json").write_text('{"kafka": 5, "services": 5}')  # as a test of the state file may leave it
    stop_leftovers(tmp_path)
    assert [process.pid for process in left] == [None] * 4
