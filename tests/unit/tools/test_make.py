"""What `make` says: its list of doors, and wheels in one line each."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.paths import ROOT


def made(folder: Path, *words: str) -> list[str]:
    """Return the lines of ``make`` in ``folder``, which finds the programs that run this test."""
    # What the `make` around a run of the tests was given is not for this one.
    own = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "ARGS", "SERVICE"}}
    environment = {**own, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    command = ["make", "--no-print-directory", "--old-file=venv-dev", *words]
    done = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True, timeout=110)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_the_list_is_aligned_whatever_a_name_s_length() -> None:
    doors = [line for line in made(ROOT) if line.startswith("  make ")]
    assert any(line.split()[1] == "test-upgrade" for line in doors)
    starts = {match.end() for line in doors if (match := re.match(r"  make \S+ +", line))}
    assert len(starts) == 1, doors


@pytest.mark.parametrize("named", ["SERVICE=order_svc", "ARGS=order_svc"])
@pytest.mark.parametrize("door", ["status", "logs", "stop", "restart"])
def test_a_part_is_named_the_same_way_at_every_door(door: str, named: str) -> None:
    (line,) = made(ROOT, "--dry-run", "--old-file=venv-stack", door, named)
    assert line.split() == ["python", "-m", "devstack", door, "order_svc"]


def test_a_wheel_is_one_line(tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for part in ("gen", "sagakit"):  # a copy, so that other tests never see half a build beside the source
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    lines = made(tmp_path, "wheel")
    assert [re.sub(r"\d+(\.\d+)+", "N", line) for line in lines] == [
        "dist/ordersaga_client-N-py3-none-any.whl",
        "dist/sagakit-N-py3-none-any.whl",
    ]
    assert all((tmp_path / line).exists() for line in lines)
