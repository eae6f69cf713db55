"""A note of which stack `make up` has started last, by which ``ordersaga`` finds it from any folder."""

import os
from pathlib import Path

from devstack.errors import DevstackError
from devstack.layout import home
from devstack.secrets import write_private


def pointer() -> Path:
    """Return the file that holds the note.

    Raises:
        DevstackError: the user has no home folder.
    """
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base.startswith("/") else home() / ".local" / "state") / "order-saga" / "stack"


def remember(data: Path) -> bool:
    """Note that the stack in the folder ``data`` was started last; say whether that could be written down."""
    try:
        file = pointer()
        file.parent.mkdir(parents=True, exist_ok=True)
        write_private(file, f"{data.absolute()}\n")
    except (OSError, DevstackError):  # the stack runs all the same, and is found from its own folder
        return False
    return True
