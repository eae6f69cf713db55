"""A process of the stack is found again by pid and start time, and stopped by pid."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.errors import DevstackError
from devstack.layout import NOBODY
from devstack.processes import ManagedProcess
from devstack.state import State

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)",
]

START_AS_NOBODY = """
import ctypes, os, pathlib, sys, time
from devstack.layout import NOBODY
from devstack.processes import ManagedProcess
from devstack.state import State

if os.geteuid() != 0:
    sys.exit(print("nobody but root can become another user"))
libc = ctypes.CDLL(None)
libc.__register_atfork(None, None, ctypes.cast(libc.abort, ctypes.c_void_p), None)
folder = pathlib.Path(sys.argv[1])
process = ManagedProcess(State(folder / "state.json"), "postgres", folder / "log")
process.launch(["/bin/sh", "-c", "echo $(id -u) $(id -g) $(id -G)"], env=dict(os.environ), record={}, user=NOBODY)
while process.pid is not None:
    time.sleep(0.01)
print(process.log.read_text())
"""


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state.json")


@pytest.fixture
def process(state: State, tmp_path: Path) -> ManagedProcess:
    return ManagedProcess(state, "kafka", tmp_path / "kafka.log")


def launch(process: ManagedProcess, command: list[str]) -> None:
    process.launch(command, env=dict(os.environ), record={"port": 9092})


def test_a_process_is_found_again_by_whoever_reads_the_state(process: ManagedProcess, tmp_path: Path) -> None:
    launch(process, SLEEP)
    another = ManagedProcess(State(tmp_path / "state.json"), "kafka", tmp_path / "kafka.log")
    assert another.pid == process.pid is not None
    assert another.record["port"] == 9092
    another.stop(5)
    assert process.pid is None


def test_a_killed_process_is_noticed(process: ManagedProcess) -> None:
    launch(process, SLEEP)
    process.kill()
    assert process.pid is None


def test_a_pid_that_another_process_has_got_since_is_not_taken_for_it(process: ManagedProcess, state: State) -> None:
    state.put("kafka", service=False, record={"pid": os.getpid(), "created": 12345.0})
    assert process.pid is None
    process.stop(1)  # and above all not stopped


def test_a_record_without_a_start_is_not_taken_for_the_process_that_began_with_the_machine(
    process: ManagedProcess, state: State
) -> None:
    state.put("kafka", service=False, record={"pid": 1})
    assert process.pid is None


def test_a_process_that_will_not_stop_is_killed(process: ManagedProcess) -> None:
    launch(process, STUBBORN)
    process.wait_until(lambda: process.log.read_text() != "", 10)
    process.stop(0.2)
    assert process.pid is None


def test_a_process_that_ends_while_starting_leaves_its_last_words(process: ManagedProcess) -> None:
    launch(process, [sys.executable, "-c", "import sys; sys.exit('no room on the disk')"])
    with pytest.raises(DevstackError, match=r"kafka ended while starting: no room on the disk \(log: "):
        process.wait_until(lambda: False, 10)


def test_nothing_is_started_once_the_start_was_given_up(process: ManagedProcess, state: State) -> None:
    state.refuse_new()
    with pytest.raises(DevstackError, match="given up"):
        launch(process, SLEEP)


def test_a_process_that_runs_as_another_user_is_started_without_a_fork_of_ours(tmp_path: Path) -> None:
    """The handlers that gRPC has run in a forked child abort it now and then; this one always does."""
    done = subprocess.run([sys.executable, "-c", START_AS_NOBODY, tmp_path], capture_output=True, text=True, check=True)
    expected = f"{NOBODY} {NOBODY} {NOBODY}" if os.geteuid() == 0 else "nobody but root can become another user"
    assert done.stdout.strip() == expected


def test_the_last_words_of_a_process_are_not_those_of_the_one_before(process: ManagedProcess) -> None:
    for words in ("before", "now"):
        launch(process, [sys.executable, "-c", f"print('{words}')"])
        with pytest.raises(DevstackError, match=f"ended while starting: {words} "):
            process.wait_until(lambda: False, 10)
