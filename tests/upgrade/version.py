"""A version of the system that can be run: the present one, or the release before, taken out of git's history."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tools import git
from tools.paths import ROOT

_NAMED = Path(__file__).parent / "before.txt"
_LOCK = "requirements-stack.txt"


@dataclass(frozen=True)
class Version:
    """A working tree, and a Python with what it depends on."""

    folder: Path
    python: str

    @property
    def environment(self) -> dict[str, str]:
        """What makes Python find this version's packages before any other's."""
        return {"PYTHONPATH": f"{self.folder}{os.pathsep}{self.folder / 'gen'}"}

    @property
    def deployment(self) -> str:
        """The module that makes topics and schemas; it moved when sagakit was made."""
        return "sagakit.service.deploy" if (self.folder / "sagakit").is_dir() else "chassis.deploy"

    def has(self, service: str) -> bool:
        """Say whether this version has ``service``, which may have come, or gone, since."""
        return (self.folder / service).is_dir()

    def run(self, module: str, *arguments: str, settings: Mapping[str, str]) -> None:
        """Run a module of this version to its end; fail with what it says where that is not a good one."""
        done = subprocess.run(
            [self.python, "-m", module, *arguments],
            cwd=self.folder,
            env={**os.environ, **self.environment, **settings},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{module} of {self.folder}: {done.stdout}{done.stderr}"

    def program(self, module: str) -> Sequence[str]:
        """Return what Python runs in the present version's place so that ``module`` of this one runs."""
        command = [self.python, "-m", module]
        return "-c", f"import os; os.chdir({str(self.folder)!r}); os.execv({self.python!r}, {command!r})"


PRESENT = Version(ROOT, sys.executable)


def before(folder: Path) -> Version:
    """Take the release before out of git's history into ``folder``, with an environment of its own if it needs one.

    Where both versions' locks name the same packages, it runs in the present environment.

    Raises:
        ValueError: this clone's history does not go back so far.
    """
    checkout(folder)
    if _packages(folder) == _packages(ROOT):
        return Version(folder, sys.executable)
    subprocess.run(["tools/venv.sh", "stack"], cwd=folder, check=True)
    return Version(folder, str(folder / ".venv" / "bin" / "python"))


def checkout(folder: Path) -> None:
    """Take the working tree of the release before out of git's history into ``folder``.

    Raises:
        ValueError: this clone's history does not go back so far.
    """
    (commit,) = [line for line in _NAMED.read_text().splitlines() if not line.startswith("#")]
    git.checkout(ROOT, commit, folder)


def _packages(folder: Path) -> list[str]:
    """Return a version's lock without its comments."""
    lines = (folder / _LOCK).read_text().splitlines()
    return [line for line in lines if not line.lstrip().startswith("#")]
