"""Trying mutants out: each in a copy of the source, on servers that all of them share, and by its named test alone."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple

from devstack.layout import ROOT
from devstack.stack import Stack
from tests.mutants.mutant import Mutant
from tests.support.lent import LENT_STACK

_SECONDS = 60
"""What one test may take; those that are named here take a few."""
_ENDS_SECONDS = 30
"""How long the run may take to end after that."""
_START_SECONDS = 1200
"""What all the tests together may take without any mutant."""
_OPTIONS = (
    "-x", "-q", "--no-header", "-rf", f"--timeout={_SECONDS}", "-k", "not postgres-15",
    "-p", "no:cacheprovider", "-p", "no:hypothesispytest",  # the latter takes a second to be imported
)  # fmt: skip
_LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "dist", "*.egg-info")
_FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


class Verdict(StrEnum):
    """What became of a mutant."""

    CAUGHT = "caught"
    SURVIVED = "SURVIVED"
    BROKEN = "BROKEN"
    """Its test could not be run, which says nothing of the mutant."""


class Result(NamedTuple):
    """What a run of tests came to."""

    verdict: Verdict
    test: str
    """The test that failed, with its parameters; else the one that was run."""
    said: str
    """All that pytest has said."""
    seconds: float


class Workshop:
    """A copy of the source, in which one mutant at a time is tried out."""

    def __init__(self, folder: Path, lent: Path | None) -> None:
        """Copy the source to ``folder``; tests with servers use those of the stack in ``lent``."""
        self._root, self._lent = folder / "source", lent
        shutil.copytree(ROOT, self._root, ignore=_LEFT_OUT)

    def run(self, tests: Collection[str]) -> Result:
        """Run ``tests`` on the source as it is in the copy, up to the first that fails."""
        return self._run(tests, _START_SECONDS)

    def try_out(self, mutant: Mutant) -> Result:
        """Run the mutant's test on it; the copy is afterwards as it was.

        Raises:
            LookupError: the text that it changes is not there once.
        """
        file = self._root / mutant.path
        before = file.read_text()
        mutant.apply(self._root)
        # It would be taken for what a change within the same second has left, were that of the same length.
        compiled = Path(cache_from_source(file))
        compiled.unlink(missing_ok=True)
        try:
            return self._run([mutant.test], _SECONDS + _ENDS_SECONDS)
        finally:
            file.write_text(before)
            compiled.unlink(missing_ok=True)

    def _run(self, tests: Collection[str], most_seconds: float) -> Result:
        command = [sys.executable, "-m", "pytest", *tests, *_OPTIONS]
        environment = {**os.environ, "PYTHONPATH": str(self._root)}
        if self._lent:
            environment[LENT_STACK] = str(self._lent)
        began = time.monotonic()
        run = subprocess.Popen(
            command, cwd=self._root, env=environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = run.communicate(timeout=most_seconds)
        except BaseException as error:
            os.killpg(run.pid, signal.SIGKILL)
            run.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            return Result(Verdict.CAUGHT, f"{next(iter(tests))} does not end", "", time.monotonic() - began)
        return judged(run.returncode, said, next(iter(tests)), time.monotonic() - began)


def judged(code: int, said: str, test: str, seconds: float) -> Result:
    """Return what a run of pytest came to, by the ``code`` that it ended with and what it ``said``."""
    failed = _FAILED.search(said)
    if code == 0:
        return Result(Verdict.SURVIVED, test, said, seconds)
    if failed:
        return Result(Verdict.CAUGHT, failed[1], said, seconds)
    return Result(Verdict.BROKEN, test, said, seconds)


@contextmanager
def servers(folder: Path, *, wanted: bool) -> Iterator[Path | None]:
    """Start a stack below ``folder`` where it is ``wanted``, whose folder can be lent to tests."""
    if not wanted:
        yield None
        return
    data = folder / "stack"
    stack = Stack.fresh(data)
    stack.postgres.remove()
    try:
        stack.up()
        yield data
    finally:
        stack.down()
        stack.postgres.remove()
