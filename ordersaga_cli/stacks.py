"""Which stack on this machine is spoken to, where nobody has named addresses: the nearest that runs."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordersaga_cli.own_files import read_own

_FOLDER = ".devstack"
_STATE = "state.json"


@dataclass(frozen=True)
class Stack:
    """A stack that runs on this machine."""

    folder: Path
    """Where its state file is."""
    state: dict[str, Any]
    """What stands in that file."""
    found: str
    """How it was found, in a few words."""


def running_stack() -> Stack | None:
    """Return the stack that runs: that of ``DEVSTACK_DATA`` alone, where it is set.

    Else that of this folder, or of the nearest above it that has one; else the one that `make up` has started last.

    Raises:
        Failed: another user of the machine may have written what says so.
    """
    for folder, found in _folders():
        state = _state(folder)
        if state and any(_runs(pid) for pid in _pids(state)):
            return Stack(folder, state, found)
    return None


def pointer() -> Path:
    """Return the file in which `make up` notes the folder of the stack that it has started last."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".local" / "state") / "order-saga" / "stack"


def _folders() -> Iterator[tuple[Path, str]]:
    if named := os.environ.get("DEVSTACK_DATA"):
        yield Path(named), "by DEVSTACK_DATA"
        return
    with suppress(OSError):  # a folder that has been removed meanwhile
        here = Path.cwd()
        yield from ((folder / _FOLDER, "by the folder this runs in") for folder in (here, *here.parents))
    try:
        noted = read_own(pointer()).decode().removesuffix("\n")
    except (OSError, RuntimeError, UnicodeDecodeError):  # there is none, or not even a home folder
        return
    if noted.startswith("/"):
        yield Path(noted), "by the last note of `make up`"


def _state(folder: Path) -> dict[str, Any]:
    """Return what stands in the state file of ``folder``; one that is missing or broken counts as empty."""
    try:
        state = json.loads(read_own(folder / _STATE))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def _pids(state: dict[str, Any]) -> Iterator[object]:
    services = state.get("services")
    parts = [part for name, part in state.items() if name != "services"]
    parts += services.values() if isinstance(services, dict) else []
    yield from (part.get("pid") for part in parts if isinstance(part, dict))


def _runs(pid: object) -> bool:
    if not isinstance(pid, int) or pid <= 0:
        return False  # it was stopped, or devstack did not start it
    try:
        os.kill(pid, 0)  # this sends nothing
    except PermissionError:
        return True  # it is another user's
    except (ProcessLookupError, OverflowError):
        return False
    return True
