"""Threads that run one at a time, and a clock that stands still unless a test moves it.

The kit gets them in place of ``threading`` and ``time``, and is otherwise as it is in production. A thread gives
way where it waits, and nowhere else; so each run can be repeated.
"""

import asyncio
import math
import threading
from collections.abc import Callable
from typing import Any, Protocol

from greenlet import getcurrent, greenlet


class Died(BaseException):
    """The process died in the midst of what it did. No handler of errors must catch it."""


class Clock:
    """The one clock of all processes, in place of the module ``time``."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    perf_counter = time = monotonic

    def time_ns(self) -> int:
        return round(self.now * 1e9)

    def sleep(self, seconds: float) -> None:
        """Let the time pass at once: the kit sleeps for milliseconds only."""
        self.now += seconds


CLOCK = Clock()


class Owner(Protocol):
    """The process that a thread belongs to."""

    threads: list["Green"]
    stopped: bool
    dead: bool


class Green(greenlet):
    """A thread of a process."""

    ready: Callable[[], bool]

    def __init__(self, owner: Owner, target: Callable[[], object]) -> None:
        """Make a thread of ``owner``, which runs ``target`` when it is its turn."""
        super().__init__(parent=_root())
        self.owner, self._target = owner, target
        self.until, self.ready = -math.inf, _never
        self._began = False
        owner.threads.append(self)

    def run(self) -> None:
        self._began = True
        try:
            self._target()
        except Died:
            if not self.owner.dead:
                raise

    @property
    def runnable(self) -> bool:
        """Whether it need not wait any longer."""
        return not (self.dead or self.owner.stopped) and (self.until <= CLOCK.now or self.ready())

    def end(self) -> None:
        """Kill it where it waits; harmless where it has ended, as by a test's time-out."""
        if self.dead:
            return
        if self._began:
            self.throw(Died)
        else:
            self.throw()


def current() -> Green:
    """Return the thread that runs."""
    me = getcurrent()
    if not isinstance(me, Green):
        msg = "only threads of a world in memory wait"
        raise TypeError(msg)
    return me


def wait(until: float, ready: Callable[[], bool] = lambda: False) -> None:
    """Let the other threads run until the time is ``until``, or ``ready`` says yes."""
    me = current()
    if me.owner.dead:
        raise Died
    me.until, me.ready = until, ready
    loop = asyncio._get_running_loop()  # noqa: SLF001 - documented for those who make loops
    asyncio._set_running_loop(None)  # noqa: SLF001
    try:
        _root().switch()
    finally:
        asyncio._set_running_loop(loop)  # noqa: SLF001


class Thread:
    """In place of `threading.Thread`."""

    def __init__(self, target: Callable[[], object], name: str = "", *, daemon: bool = True) -> None:  # noqa: ARG002
        self._target = target
        self._green: Green | None = None

    def start(self) -> None:
        self._green = Green(current().owner, self._target)

    def is_alive(self) -> bool:
        return self._green is not None and not self._green.dead

    def join(self, timeout: float | None = None) -> None:
        wait(math.inf if timeout is None else CLOCK.now + timeout, lambda: not self.is_alive())


class Event:
    """In place of `threading.Event`."""

    def __init__(self) -> None:
        self._set = False

    def set(self) -> None:
        self._set = True

    def is_set(self) -> bool:
        return self._set

    def wait(self, timeout: float | None = None) -> bool:
        if not self._set:
            wait(math.inf if timeout is None else CLOCK.now + timeout, self.is_set)
        return self._set


class Threading:
    """In place of the module ``threading``. A lock is never held by a thread that waits, so it is the real one."""

    Thread, Event, Lock = Thread, Event, threading.Lock


def _never() -> bool:
    return False


def _root() -> Any:
    """Return the greenlet of the test itself, which is none of the threads."""
    me: Any = getcurrent()
    return me.parent if isinstance(me, Green) else me
