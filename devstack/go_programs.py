"""Prometheus and its promtool, built by Go once for each user and kept in the cache.

Go fetches the module by its version, and verifies what it fetches by the checksums that Go's public database has of it.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from devstack.downloads import alone
from devstack.errors import DevstackError
from devstack.layout import cache

VERSION = "v0.316.0"
"""Of the module; Prometheus calls it 3.16.0."""
MODULE = "github.com/prometheus/prometheus"
_TAGS = "remove_all_sd"
"""Without what finds targets in clouds: less to fetch and to build, and our targets are named."""
_BUILD_SECONDS = 2400


def built(program: str, progress: Callable[[str], None]) -> Path:
    """Return ``prometheus`` or ``promtool``, built where it is not in the cache.

    Raises:
        DevstackError: there is no Go, or it cannot build it.
    """
    place = cache() / f"prometheus-{VERSION}" / program
    with alone("prometheus", progress):
        if not place.is_file():
            progress("building, which takes minutes and is done once")
            _build(program, place)
    return place


def _build(program: str, place: Path) -> None:
    if shutil.which("go") is None:
        text = f"{program} is built by Go, which is not on the PATH: install Go 1.21 or later"
        raise DevstackError(text)
    place.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as folder:  # what is half built is not taken for the program
        environment = {**os.environ, "GOBIN": folder, "GOFLAGS": "-modcacherw"}
        command = ["go", "install", "-tags", _TAGS, f"{MODULE}/cmd/{program}@{VERSION}"]
        try:
            subprocess.run(command, check=True, env=environment, timeout=_BUILD_SECONDS, capture_output=True, text=True)
        except subprocess.TimeoutExpired as error:
            raise DevstackError(f"{program} is not built after {_BUILD_SECONDS / 60:.0f} minutes") from error
        except subprocess.CalledProcessError as error:
            said = " ".join(str(error.stderr).split())[-300:]
            raise DevstackError(f"Go cannot build {program}; is there a network? It said: {said}") from error
        (Path(folder) / program).rename(place)
