"""A real grpcurl, built by Go where Go is on the PATH."""

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "v1.9.3"
MODULE = f"github.com/fullstorydev/grpcurl/cmd/grpcurl@{VERSION}"


def available() -> bool:
    """Say whether there is a grpcurl, or a Go to build it with."""
    return _installed().exists() or shutil.which("go") is not None


def grpcurl() -> Path:
    """Return the program; it is built once and kept in the user's cache folder."""
    program = _installed()
    if not program.exists():
        environment = {**os.environ, "GOBIN": str(program.parent), "GOFLAGS": "-modcacherw"}
        subprocess.run(["go", "install", MODULE], check=True, env=environment, timeout=600)
    return program


def _installed() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "order-saga" / "bin" / "grpcurl"
