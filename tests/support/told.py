"""What a program that others wrote says when it is run."""

import subprocess
from pathlib import Path

SECONDS = 60


def run(program: Path | str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run it to its end, whatever that is."""
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)


def said(program: Path | str, *arguments: Path | str) -> str:
    """Run it and return what it says on its standard output; it must succeed."""
    done = run(program, *arguments)
    assert done.returncode == 0, done.stderr or done.stdout
    return done.stdout
