"""Files that are found where a command runs, and not named by whoever runs it: believed only where they are his own.

Whoever is on the machine may leave a file in a folder that others pass through. It could name a server of his, and be
sent a token.
"""

import os
import stat
from pathlib import Path

from ordersaga_cli.line import Failed


def read_own(path: Path) -> bytes:
    """Return what the file ``path`` holds.

    Raises:
        OSError: it cannot be read.
        Failed: it is neither this user's nor root's, or others may write it.
    """
    with path.open("rb") as file:
        found = os.fstat(file.fileno())  # of what was opened, whatever the path leads to by now
        why = ""
        if found.st_uid not in {0, os.geteuid()}:
            why = f"it belongs to another user of this machine ({found.st_uid})"
        elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            why = "other users of this machine may write it"
        if why:
            raise Failed(f"{path} is not believed: {why}; go to a folder of your own, or name the addresses yourself")
        return file.read()
