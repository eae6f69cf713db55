"""Clients in other languages, built beside the tests that wait for something; compilers' caches make it quick again."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tools.paths import ROOT

SECONDS = 900
"""How long a build may take, with cold caches and much beside it."""


class Build:
    """A run of ``tests/clients/<language>/build.sh``, which takes what others leave of the CPU and fills a folder."""

    def __init__(self, language: str) -> None:
        """Begin it."""
        self.folder = ROOT / ".deps" / "clients" / language
        self.folder.mkdir(parents=True, exist_ok=True)
        self._log = self.folder / "build.log"
        with self._log.open("wb") as log:
            self._shell = subprocess.Popen(
                ["nice", "sh", f"tests/clients/{language}/build.sh", self.folder],
                cwd=ROOT,
                env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def done(self) -> Path:
        """Wait until it is done, and return its folder.

        Raises:
            AssertionError: it failed; with all that was said.
            subprocess.TimeoutExpired: it takes too long.
        """
        assert self._shell.wait(SECONDS) == 0, self._log.read_text()
        return self.folder

    def end(self) -> None:
        """Give it up where it is not done."""
        if self._shell.poll() is None:
            os.killpg(self._shell.pid, signal.SIGTERM)
            self._shell.wait()


def missing(*programs: str) -> list[str]:
    """Return those of ``programs`` that are not on the PATH."""
    return [program for program in programs if shutil.which(program) is None]
