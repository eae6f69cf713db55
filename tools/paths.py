"""Where things are in the repository."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
GEN = ROOT / "gen"
IMPORTED = ROOT / ".deps" / "proto"
"""The proto files of others that ours import."""


def cache() -> Path:
    """Return the folder for what is fetched once for all checkouts of this user: `devstack.layout.cache` in short.

    Nothing here imports devstack; a test compares the two. ``make`` sees to it that there is a home folder.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "order-saga"
