"""Plays a schedule of faults: each in a thread of its own, and no two at once on the same part."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from random import Random

from tests.chaos.nemeses import SERVERS, Fault
from tests.chaos.nemeses_data import LASTED
from tests.chaos.stage import Stage

_READY_SECONDS = 120.0
_LATE_SECONDS = 180.0
"""How long after the end a fault may still begin: on a busy machine each takes longer than the schedule reckons."""


@dataclass(frozen=True)
class Done:
    """A fault as it came to pass."""

    kind: str
    began: float
    ended: float
    summary: str
    error: str = ""
    """Why it did not come to pass; empty where it did."""


class Director:
    """Begins faults at their times, and heals them at theirs."""

    def __init__(self, stage: Stage, report: Callable[[str], None]) -> None:
        """Play on ``stage``."""
        self._stage, self._report = stage, report
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._locks: dict[str, threading.Lock] = {}
        self._end = 0.0
        self.done: list[Done] = []
        self.began = time.monotonic()

    def play(self, faults: Sequence[Fault], duration: float) -> None:
        """Begin each fault at its time; return once the duration is over and each is healed."""
        self.began = time.monotonic()
        self._end = self.began + duration
        self._locks = {part: threading.Lock() for fault in faults for part in sorted(fault.nemesis.uses)}
        for fault in faults:
            self._stopping.wait(max(0.0, self.began + fault.at - time.monotonic()))
            thread = threading.Thread(target=self._one, args=(fault,), name=fault.nemesis.kind, daemon=True)
            self._threads.append(thread)
            thread.start()
        self._stopping.wait(max(0.0, self._end - time.monotonic()))
        self._join()

    def heal(self) -> None:
        """Heal whatever is still going on, now."""
        self._stopping.set()
        self._join()

    def _join(self) -> None:
        for thread in self._threads:
            thread.join()

    def _one(self, fault: Fault) -> None:
        began = time.monotonic()
        summary, trouble = "", ""
        try:
            with self._alone(fault.nemesis.uses), self._noted(fault) as summary:
                began = time.monotonic()
                self._report(f"{began - self.began:6.1f}  {_lasting(summary, fault.seconds)}")
                self._stopping.wait(fault.seconds)
        except Exception as error:  # noqa: BLE001 - whatever it is, the round goes on, and the report names it
            trouble = f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
            self._report(f"{time.monotonic() - self.began:6.1f}  {fault.nemesis.kind} did not come to pass: {trouble}")
        ended = time.monotonic()
        summary = _lasting(summary, ended - began)
        self.done.append(Done(fault.nemesis.kind, began - self.began, ended - self.began, summary, trouble))

    @contextmanager
    def _noted(self, fault: Fault) -> Iterator[str]:
        """Let the fault be at work meanwhile, and have the checker know of it: until its servers answer again."""
        nemesis = fault.nemesis
        with self._stage.recorder.fault(nemesis.kind, nemesis.uses, nemesis.settles):
            with nemesis.act(self._stage, Random(fault.seed)) as summary:
                yield summary
            self._wait_for_servers(nemesis.uses)

    @contextmanager
    def _alone(self, uses: frozenset[str]) -> Iterator[None]:
        """Wait until no other fault is on the parts that this one needs, and the servers among them answer.

        Raises:
            TimeoutError: the round was over long before that, or was given up.
        """
        with ExitStack() as held:
            for part in sorted(uses):
                lock = self._locks[part]
                if not lock.acquire(timeout=max(0.1, self._end + _LATE_SECONDS - time.monotonic())):
                    raise TimeoutError(f"an earlier fault of {part} lasted until the round was over")
                held.callback(lock.release)
            if self._stopping.is_set():
                raise TimeoutError("the round was given up")
            self._wait_for_servers(uses)
            yield

    def _wait_for_servers(self, uses: frozenset[str]) -> None:
        """Wait until the servers among ``uses`` answer: on a busy machine one takes a minute to come back."""
        give_up = time.monotonic() + _READY_SECONDS
        for server in map(self._stage.server, sorted(uses & set(SERVERS))):
            while not server.ready() and time.monotonic() < give_up and not self._stopping.is_set():
                time.sleep(0.2)


def _lasting(summary: str, seconds: float) -> str:
    return summary.replace(LASTED, f"{seconds:.1f} s")
