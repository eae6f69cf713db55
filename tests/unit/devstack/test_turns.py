"""Of several commands on one stack the second waits, and says at once for whom."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.layout import Layout
from devstack.stack import Stack

HOLDS = """
import sys
from pathlib import Path
from devstack.layout import Layout
from devstack.stack import Stack
with Stack(Layout.fresh(Path(sys.argv[1])))._locked():
    print("has it", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another command that has the stack for itself until it is told to end."""
    command = [sys.executable, "-c", HOLDS, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "has it\n"
        yield other
        other.kill()


def test_who_must_wait_is_told_for_which_process_and_goes_on_when_it_ends(
    tmp_path: Path, other: subprocess.Popen[str], capfd: pytest.CaptureFixture[str]
) -> None:
    stopping = threading.Thread(target=Stack(Layout.fresh(tmp_path)).stop, args=[["order_svc"]])
    stopping.start()
    stopping.join(0.5)
    assert stopping.is_alive()
    other.communicate("end\n", timeout=30)
    stopping.join(30)
    assert not stopping.is_alive()
    said = capfd.readouterr()
    assert f"order-saga: another command (pid {other.pid}: " in said.err
    assert said.err.count("waiting until it ends") == 1


def test_who_need_not_wait_is_told_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        Stack(Layout.fresh(tmp_path)).stop(["order_svc"])
    assert capfd.readouterr().err == ""


def test_of_a_holder_that_has_left_no_note_it_is_said_that_there_is_one(
    tmp_path: Path, other: subprocess.Popen[str], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lock").write_text("")
    stopping = threading.Thread(target=Stack(Layout.fresh(tmp_path)).stop, args=[["order_svc"]])
    stopping.start()
    stopping.join(0.5)
    other.communicate("end\n", timeout=30)
    stopping.join(30)
    assert "order-saga: another command runs on this stack; waiting" in capfd.readouterr().err
