"""Runs programs that others wrote, and returns their output."""

import subprocess
from pathlib import Path

SECONDS = 60


def run(program: Path | str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``program`` to its end; it may fail."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)


def output_of(program: Path | str, *arguments: Path | str) -> str:
    """Run ``program`` and return its standard output; it must succeed."""
    done = run(program, *arguments)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout
