"""What the services of this checkout are built from, for `SERVICE_VERSION`."""

import subprocess
import tomllib
from functools import cache

from devstack.layout import ROOT

_SECONDS = 10


@cache
def version() -> str:
    """Return the version, and where git knows it the revision, with ``-dirty`` where files have changed since."""
    number: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude", "*"]
    try:
        revision = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_SECONDS).stdout.strip()
    except (OSError, subprocess.SubprocessError):  # no git, or no checkout
        return number
    return f"{number}+{revision}"
