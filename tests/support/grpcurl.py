"""A real grpcurl, built by Go where Go is on the PATH, once: it is kept in the user's cache folder."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from devstack.layout import cache

VERSION = "v1.9.3"
MODULE = f"github.com/fullstorydev/grpcurl/cmd/grpcurl@{VERSION}"
_BUILD_SECONDS = 600


class Build:
    """A build that takes what others leave of the CPU; it is done at once where there is a grpcurl."""

    def __init__(self) -> None:
        """Begin it."""
        folder = _installed().parent
        folder.mkdir(parents=True, exist_ok=True)
        self._log = folder / "grpcurl.log"
        with self._log.open("wb") as log:
            self._go = subprocess.Popen(
                ["true"] if _installed().exists() else ["nice", "go", "install", MODULE],
                env={**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def done(self) -> Path:
        """Wait until it is done, and return the program.

        Raises:
            AssertionError: Go cannot build it; with what Go says.
        """
        assert self._go.wait(_BUILD_SECONDS) == 0, self._log.read_text()
        return _installed()

    def end(self) -> None:
        """Give it up where it is not done."""
        if self._go.poll() is None:
            os.killpg(self._go.pid, signal.SIGTERM)
            self._go.wait()


def available() -> bool:
    """Say whether there is a grpcurl, or a Go to build it with."""
    return _installed().exists() or shutil.which("go") is not None


def _installed() -> Path:
    return cache() / "bin" / "grpcurl"
