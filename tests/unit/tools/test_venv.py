"""What tools/venv.sh says before it gets to installing anything."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.paths import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("tools/venv.sh", "requirements-stack.txt", "requirements-dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(copy / "tools" / "venv.sh"), "stack"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_python_that_is_too_old_gets_one_clear_line(copy: Path) -> None:
    old = script(copy / "old", "exit 1")
    done = run(copy, PYTHON=str(old))
    assert done.returncode == 1
    assert done.stderr == f"order-saga: Python 3.11 or later is needed; none of these is one: {old}\n"


def test_a_python_without_venv_gets_one_clear_line(copy: Path) -> None:
    bare = script(copy / "bare", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    done = run(copy, PYTHON=str(bare))
    assert done.returncode == 1
    assert (
        done.stderr == f"order-saga: {bare} comes without venv; on Debian or Ubuntu install the package python3-venv\n"
    )


def test_an_environment_that_is_up_to_date_is_left_alone(copy: Path) -> None:
    script(copy / ".venv" / "bin" / "python", "exit 0")
    script(copy / ".venv" / "bin" / "ordersaga", "exit 0")
    command = ["cksum", "requirements-dev.txt"]
    checksum = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout
    (copy / ".venv" / "made-dev").write_text(f"{checksum}{copy}\n")
    done = run(copy, PYTHON="there-is-none")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_half_made_environment_is_not_taken_for_one(copy: Path) -> None:
    script(copy / ".venv" / "bin" / "python", "exit 0")
    done = run(copy, PYTHON="there-is-none")
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr
