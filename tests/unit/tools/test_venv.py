"""What tools/venv.sh says, and what it installs with."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tools.paths import ROOT

NOTES_CALLS = """\
case "$*" in
    "-m venv .venv")
        mkdir -p .venv/bin
        cp "$0" .venv/bin/python
        printf '#!/bin/sh\\necho "uv $*" >>calls\\nexit %s\\n' "$UV_EXITS" >.venv/bin/uv
        chmod +x .venv/bin/uv ;;
    *"config get"*) echo "$CONFIGURED" ;;
    *" install "*) echo "pip $*" >>calls ;;
esac"""
"""A Python whose pip and uv only note in the file ``calls`` what they are asked for."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in ("tools/venv.sh", "requirements-stack.txt", "requirements-dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(copy: Path, kind: str = "stack", **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["sh", str(copy / "tools" / "venv.sh"), kind]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def made(copy: Path, kind: str, lock: str | None = None) -> Path:
    """Make an environment by hand that says it was made from ``lock``, and return what somebody had put there."""
    script(copy / ".venv" / "bin" / "python", "exit 0")
    script(copy / ".venv" / "bin" / "ordersaga", "exit 0")
    script(copy / ".venv" / "bin" / "uv", "exit 0")
    command = ["cksum", f"requirements-{kind}.txt"]
    checksum = lock or subprocess.run(command, cwd=copy, capture_output=True, text=True, check=True).stdout
    (copy / ".venv" / f"made-{kind}").write_text(f"{checksum}{copy}\n")
    dropped = copy / ".venv" / "dropped"
    dropped.touch()
    return dropped


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
    made(copy, "dev")
    done = run(copy, PYTHON="there-is-none")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_half_made_environment_is_not_taken_for_one(copy: Path) -> None:
    script(copy / ".venv" / "bin" / "python", "exit 0")
    done = run(copy, PYTHON="there-is-none")
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr


def calls(copy: Path, kind: str = "stack", **environment: str) -> list[str]:
    """Make an environment, and return what pip and uv were asked for."""
    python = str(script(copy / "noting", NOTES_CALLS))
    done = run(copy, kind, **{"PIP_INDEX_URL": "", **environment, "PYTHON": python})
    assert done.returncode == 0, done.stderr
    return (copy / "calls").read_text().splitlines()


@pytest.mark.parametrize(("kind", "wanted"), [("stack", "stack"), ("dev", "stack"), ("dev", "dev")])
def test_an_environment_whose_lock_has_changed_is_made_anew(copy: Path, kind: str, wanted: str) -> None:
    dropped = made(copy, kind, lock="what it was\n")
    calls(copy, wanted, UV_EXITS="0", CONFIGURED="")
    assert not dropped.exists()


def test_what_the_stack_needs_stays_where_what_developers_need_comes_to_it(copy: Path) -> None:
    kept = made(copy, "stack")
    assert run(copy, "dev", PYTHON=str(script(copy / "python", "exit 0"))).returncode == 0
    assert kept.exists()
    assert [path.name for path in (copy / ".venv").glob("made-*")] == ["made-dev"]


def test_uv_installs_what_is_locked_and_is_locked_itself(copy: Path) -> None:
    uv, locked, own = calls(copy, UV_EXITS="0", CONFIGURED="")
    assert uv.startswith("pip ")
    assert uv.endswith("--require-hashes --no-deps --only-binary :all: -r .venv/uv.txt")
    first, *hashes = (copy / ".venv" / "uv.txt").read_text().splitlines()
    assert first.startswith("uv==")
    assert hashes
    assert all(line.startswith("    --hash=sha256:") for line in hashes)
    assert locked.startswith("uv pip install ")
    assert locked.endswith("--require-hashes --no-deps --only-binary :all: -r requirements-stack.txt")
    assert own.startswith("uv pip install ")
    assert own.endswith("-e . -e gen")


def test_where_uv_does_not_get_on_pip_installs_the_same(copy: Path) -> None:
    _, uv, pip, own_uv, own_pip = calls(copy, UV_EXITS="2", CONFIGURED="")
    assert (uv.split()[0], own_uv.split()[0]) == ("uv", "uv")
    assert pip.endswith("pip --disable-pip-version-check install " + uv[uv.index("--require-hashes") :])
    assert own_pip.endswith("-e . -e gen")


@pytest.mark.parametrize(
    ("environment", "index"),
    [
        ({"CONFIGURED": "https://a/simple"}, "https://a/simple"),
        ({"CONFIGURED": "https://a/simple", "PIP_INDEX_URL": "https://b/simple"}, "https://b/simple"),
    ],
    ids=["configured", "environment"],
)
def test_uv_takes_packages_from_where_pip_would(copy: Path, environment: dict[str, str], index: str) -> None:
    _, locked, own = calls(copy, UV_EXITS="0", **environment)
    assert f"--default-index {index} " in locked
    assert f"--default-index {index} " in own
