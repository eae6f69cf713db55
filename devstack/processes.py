"""One process of the stack: started detached, found again by pid and start time, stopped by pid."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

from devstack.errors import DevstackError
from devstack.secrets import make_private
from devstack.state import State

_POLL_SECONDS = 0.05
_LAST_LINES = 3
_LAST_CHARACTERS = 700
_ZOMBIE_SECONDS = 1.0
_CLOCK_SECONDS = 5.0
"""By how much the time at which a process began, by the machine's start, may seem to change: both are rounded."""

_BECOME = """\
import os, sys
user = int(sys.argv[1])
os.setgroups([])
os.setgid(user)
os.setuid(user)
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(f"{sys.argv[2]}: {error.strerror}")
"""


class ManagedProcess:
    """A process that outlives whoever started it; its pid and start time stand in the state file."""

    def __init__(self, state: State, name: str, log: Path, *, service: bool = False) -> None:
        """Manage the process ``name``, which writes to ``log``."""
        self.name, self.log = name, log
        self._state, self._service = state, service
        self._log_start = 0

    @property
    def record(self) -> dict[str, Any]:
        """What the state file says of it."""
        return self._state.get(self.name)

    @property
    def pid(self) -> int | None:
        """Its pid while it runs. A pid that another process has got since, after a reboot say, is not taken for it."""
        process = self._process()
        return process.pid if process else None

    def launch(
        self,
        command: Sequence[str],
        *,
        env: Mapping[str, str],
        record: Mapping[str, Any],
        user: int | None = None,
        cwd: Path | None = None,
    ) -> None:
        """Start ``command`` in a session of its own, and note it in the state file with ``record``."""
        if self._state.closed:
            raise DevstackError(f"{self.name} is not started, because the start of the stack was given up")
        make_private(self.log.parent)  # PostgreSQL's errors, and why a message was parked, may quote an address
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            started = subprocess.Popen(
                run_as(user, command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=cwd or "/",
                env=dict(env), start_new_session=True,
            )  # fmt: skip
        created = _since_boot(psutil.Process(started.pid))
        full = {"pid": started.pid, **record, "log": str(self.log), "created": created}
        self._state.put(self.name, service=self._service, record=full)

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait until ``ready`` says so.

        Raises:
            DevstackError: the process ended first, or time ran out; with the last lines of its log.
        """
        give_up = time.monotonic() + seconds
        while not ready():
            if self.pid is None:
                raise DevstackError(f"{self.name} ended while starting{self._last_words()}")
            if time.monotonic() > give_up:
                raise DevstackError(f"{self.name} is not ready after {seconds:.0f} s{self._last_words()}")
            time.sleep(_POLL_SECONDS)

    def stop(self, seconds: float, number: signal.Signals = signal.SIGTERM) -> None:
        """Ask it to end with the signal ``number``, and kill it where it has not after ``seconds``."""
        process = self._process()
        if process is not None:
            try:
                process.send_signal(number)
                _wait_gone(process, seconds)
            except psutil.TimeoutExpired:
                self.kill()
            except psutil.NoSuchProcess:
                pass
        if self.record.get("pid"):
            with contextlib.suppress(OSError):  # a full disk, say, must not keep the others from being stopped
                self._state.put(self.name, service=self._service, record={**self.record, "pid": None})

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        process = self._process()
        if process is not None:
            try:
                process.kill()
                _wait_gone(process, 10)
            except psutil.NoSuchProcess:
                pass

    def _process(self) -> psutil.Process | None:
        record = self.record
        if not record.get("pid") or not record.get("created"):
            return None
        try:
            process = psutil.Process(record["pid"])
            _reap(process.pid)
            same = abs(_since_boot(process) - record["created"]) < _CLOCK_SECONDS
            alive = process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return None
        return process if same and alive else None

    def _last_words(self) -> str:
        lines = [line.strip() for line in tail(self.log, _LAST_LINES, self._log_start) if line.strip()]
        lines = [line for line in lines if '"critical"' in line] or lines  # what a service of ours ended by
        return f": {' / '.join(lines)[-_LAST_CHARACTERS:]} (log: {self.log})" if lines else f" (log: {self.log})"


def run_as(user: int | None, command: Sequence[str]) -> list[str]:
    """Return the command that runs ``command`` as ``user``, who is in no other group; as ourselves where None.

    A program of its own changes the user: ``subprocess`` would have to fork for it where it uses vfork otherwise, and
    a fork of a process whose threads are in the midst of gRPC calls now and then aborts before its program begins.
    """
    if user is None:
        return list(command)
    return [sys.executable, "-I", "-S", "-c", _BECOME, str(user), *command]


def tail(path: Path, lines: int, start: int = 0) -> list[str]:
    """Return the last ``lines`` lines of a log after its first ``start`` bytes, none where it does not exist."""
    try:
        with path.open("rb") as file:
            file.seek(max(start, path.stat().st_size - 64_000))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def _since_boot(process: psutil.Process) -> float:
    """Return how many seconds after the machine's start ``process`` began: a clock that is set does not change it."""
    return process.create_time() - psutil.boot_time()


def _wait_gone(process: psutil.Process, seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
        if time.monotonic() > give_up:
            raise psutil.TimeoutExpired(seconds, process.pid)
        time.sleep(_POLL_SECONDS)
    # A zombie's threads may hold its ports a moment longer; but it stays one for ever where nobody collects it.
    give_up = time.monotonic() + _ZOMBIE_SECONDS
    _reap(process.pid)
    while process.is_running() and time.monotonic() < give_up:
        time.sleep(_POLL_SECONDS)
        _reap(process.pid)


def _reap(pid: int) -> None:
    """Collect the process where it is a child of ours that ended; it would stay a zombie otherwise."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
