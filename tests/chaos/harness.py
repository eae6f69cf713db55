"""A stack under chaos: its services run with short times, and whatever ends is started again, as Kubernetes would."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from devstack.errors import DevstackError
from devstack.processes import tail
from devstack.server import Server
from devstack.services import NAMES, Service
from devstack.stack import Stack
from tests.support import trust

SHORT_TIMES = {
    "SAGA_TIME_SCALE": "0.05",  # a step waits 3 s for its reply
    "OUTBOX_AGE_SECONDS": "1",
    "ANNOUNCE_AFTER_SECONDS": "10",
    "ANNOUNCE_INTERVAL_SECONDS": "1",
}
_SESSION_SECONDS = 4.5
"""Long enough that a service may stand still for more than the two seconds of a batch, and its group not miss it."""
_LOOK_SECONDS = 0.3
_BACKOFF_SECONDS = 1.0


def fresh(folder: Path, *, secure: bool = False) -> Stack:
    """Return a stack in ``folder``, closed or not, each part of which may fail alone, each database included."""
    return Stack.fresh(folder, session_seconds=_SESSION_SECONDS, databases_apart=True, secure=secure)


class Supervisor:
    """Starts again what ended, unless it is held: then a nemesis has it down on purpose."""

    def __init__(self, stack: Stack) -> None:
        """Look after the servers and services of ``stack``; `begin` begins."""
        self._stack = stack
        self._held: Counter[str] = Counter()
        self._let_go: set[str] = set()
        self._locks: dict[str, threading.Lock] = {}
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.restarts: Counter[str] = Counter()
        self.deaths: list[tuple[float, str, str]] = []
        """What ended by itself: when (monotonic), what, and the last line of its log."""

    def begin(self) -> None:
        """Look after all parts from now on."""
        for part in self._stack.parts:
            self.add(part)

    def add(self, part: Server) -> None:
        """Look after one more part."""
        self._locks[part.name] = threading.Lock()
        thread = threading.Thread(target=self._look_after, args=(part,), name=f"over {part.name}", daemon=True)
        self._threads.append(thread)
        thread.start()

    @contextmanager
    def held(self, *parts: Server) -> Iterator[None]:
        """Leave ``parts`` alone meanwhile, even if they are down."""
        for part in parts:
            with self._locks[part.name]:  # a start under way ends first
                self._held[part.name] += 1
        try:
            yield
        finally:
            for part in parts:
                self._let_go.add(part.name)  # before the next look, which may not have seen that it was held
                self._held[part.name] -= 1

    def end(self) -> None:
        """Look after nothing any more."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _look_after(self, part: Server) -> None:
        came_up = True
        while not self._stopping.wait(_LOOK_SECONDS):
            with self._locks[part.name]:
                if self._held[part.name]:
                    came_up = False  # whoever holds it has it down
                    continue
                if part.name in self._let_go:
                    self._let_go.discard(part.name)
                    came_up = False
                if part.pid is not None:
                    came_up = True
                    continue
                if came_up:  # nobody has killed it
                    self.deaths.append((time.monotonic(), part.name, " ".join(tail(part.log, 1))[-600:]))
                    self._stopping.wait(_BACKOFF_SECONDS)
                with suppress(DevstackError):
                    launch(part)
                    self.restarts[part.name] += 1
                came_up = part.pid is not None


def launch(part: Server) -> None:
    """Start a part; a service waits by itself for the servers it needs.

    Raises:
        DevstackError: it does not come up.
    """
    if isinstance(part, Service):
        record = part.record
        part.launch(record["dsn"], record["bootstrap"], record["registry"], SHORT_TIMES)
    else:
        part.start()


def prepare(stack: Stack, replicas: int) -> list[Service]:
    """Bring ``stack`` up with short times; return its second replicas, where there are to be two of each.

    Raises:
        DevstackError: something does not come up.
    """
    with _in_the_environment(SHORT_TIMES):
        stack.up()
    trust.remember(stack)
    seconds = [stack.replica(name) for name in NAMES] if replicas > 1 else []
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda service: service.start(extra_env=SHORT_TIMES), seconds))
    return seconds


@contextmanager
def _in_the_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Let what is started meanwhile inherit ``settings``."""
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
