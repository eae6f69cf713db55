"""A service of the stack run as its fault build, as a test drives it."""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from devstack.services import NAMES, Service
from devstack.stack import Stack
from tests.chaos.faulty_fuse import Fuse
from tests.support.mend import mend
from tests.support.wait import eventually

PROGRAM = ("-m", "tests.chaos.faulty")
"""What Python runs instead of a service's module; the module's name follows."""
_DEATH_SECONDS = 30.0


class FaultyService:
    """One service, and the fuse of its fault build."""

    def __init__(self, service: Service, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        """Run ``service`` with ``settings`` beside the usual ones; the fuse lies in ``folder``."""
        self.service = service
        self._flag = folder / f"{service.name}.fuse"
        self.fuse = Fuse(self._flag)
        self._settings = dict(settings or {})
        self._mutant = ""
        self._log_began = 0

    def start(self, mutant: str = "", **settings: str) -> None:
        """Start it as the fault build, ``mutant`` broken, where it does not run as that; return when it is ready."""
        environment = {**self._settings, **settings, "FAULT_FLAG": str(self._flag), "MUTANT": mutant}
        self.service.start(extra_env=environment, program=(*PROGRAM, self.service.module))
        self._mutant = mutant

    def restart(self, mutant: str = "", **settings: str) -> None:
        """Stop it in good order, whatever it runs as, and start the fault build, with ``settings`` this time."""
        self.service.stop()
        self._log_began = self.service.log.stat().st_size
        self.start(mutant, **settings)

    def logs(self, words: str) -> None:
        """Wait until it has logged ``words`` since it was last restarted, or told what to become."""

        def logged() -> None:
            with self.service.log.open() as log:
                log.seek(self._log_began)
                assert words in log.read(), f"{self.service.name} has not said: {words}"

        eventually(logged, _DEATH_SECONDS)

    def become(self, mutant: str) -> None:
        """See that it runs with ``mutant`` broken; with nothing broken where that is empty."""
        if self._mutant != mutant:
            self.restart(mutant)
        self._log_began = self.service.log.stat().st_size
        self.start(mutant)  # where it was down

    def dies(self) -> int:
        """Wait until the process has ended by itself, and return its exit code."""
        pid = self.service.record["pid"]
        give_up = time.monotonic() + _DEATH_SECONDS
        while time.monotonic() < give_up:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        msg = f"{self.service.name} did not reach {self.fuse.armed or self.fuse.fired}"
        raise AssertionError(msg)

    def reaches(self, point: str) -> None:
        """Wait until ``point`` has been reached by a process that lives on."""

        def fired() -> None:
            assert self.fuse.fired == point

        eventually(fired, _DEATH_SECONDS)


@contextmanager
def fault_builds(stack: Stack, folder: Path, settings: Mapping[str, str]) -> Iterator[dict[str, FaultyService]]:
    """Run all four services as their fault builds meanwhile, and as themselves again afterwards."""
    builds = {name: FaultyService(stack.service(name), folder, settings) for name in NAMES}
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(FaultyService.restart, builds.values()))
        yield builds
    finally:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: stack.service(name).stop(), NAMES))
        mend(stack)
