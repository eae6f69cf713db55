"""What an interrupted run in lanes leaves: its lanes are ended before they have brought their stacks down."""

import shutil
from pathlib import Path

from devstack.layout import Layout
from devstack.processes import ManagedProcess
from devstack.state import State


def stop_leftovers(folder: Path) -> None:
    """Kill whatever still runs of the stacks below ``folder``, and remove their databases that lie elsewhere."""
    for file in folder.rglob("state.json"):
        state = State(file)
        for name in state.names:
            ManagedProcess(state, name, file).kill()
        shutil.rmtree(Layout.fresh(file.parent).outside, ignore_errors=True)
