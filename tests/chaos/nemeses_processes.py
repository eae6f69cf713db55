"""Faults of processes: killed, frozen, slow, restarted, away; replicas that come and go."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from random import Random

import psutil

from devstack.errors import DevstackError
from tests.chaos.harness import SHORT_TIMES
from tests.chaos.stage import Stage

Act = Callable[[Stage, Random], AbstractContextManager[str]]
_STILL_SECONDS = (2.1, 2.6)
"""How long a slow service stands still at once: more than the two seconds of a batch, less than its group's session
without the time since its last heartbeat."""
_AT_WORK_SECONDS = (0.1, 0.4)


def kill(service: str) -> Act:
    """Return the nemesis that kills a service (``kill -9``); the supervisor starts it again."""

    @contextmanager
    def act(stage: Stage, random: Random) -> Iterator[str]:
        victim = random.choice(stage.members(service))
        with stage.supervisor.held(victim):
            victim.kill()
            stage.recorder.sample(service)  # what it left, while it is down
            yield f"kill -9 of {victim.name}"

    return act


def freeze(service: str) -> Act:
    """Return the nemesis that stops a service's clock (SIGSTOP) for longer than its group's session."""

    @contextmanager
    def act(stage: Stage, name: str, pid: int, _: Random) -> Iterator[str]:
        with _stopped(pid):
            stage.recorder.sample(service)
            yield f"SIGSTOP of {name}"

    return _on_a_process(service, act)


def slow(service: str) -> Act:
    """Return the nemesis that lets a service stand still again and again, never so long that its group misses it."""

    @contextmanager
    def act(_: Stage, name: str, pid: int, random: Random) -> Iterator[str]:
        healed = threading.Event()
        thread = threading.Thread(target=_limp, args=(pid, random, healed), name=f"slow {service}", daemon=True)
        thread.start()
        try:
            yield f"{name} stands still most of the time, and answers in between"
        finally:
            healed.set()
            thread.join()

    return _on_a_process(service, act)


def _on_a_process(service: str, harm: Callable[[Stage, str, int, Random], AbstractContextManager[str]]) -> Act:
    """Return the nemesis that does ``harm`` to a member of ``service``, named with its process id, if it is up."""

    @contextmanager
    def act(stage: Stage, random: Random) -> Iterator[str]:
        victim = random.choice(stage.members(service))
        with stage.supervisor.held(victim):
            if (pid := victim.pid) is None:
                yield f"{victim.name} was down already"
                return
            with harm(stage, victim.name, pid, random) as said:
                yield said

    return act


def _limp(pid: int, random: Random, healed: threading.Event) -> None:
    while not healed.wait(random.uniform(*_AT_WORK_SECONDS)):
        with _stopped(pid):
            healed.wait(random.uniform(*_STILL_SECONDS))


def stall(server: str) -> Act:
    """Return the nemesis that stops a server's clock, with all of its processes: connections stay, and say nothing."""

    @contextmanager
    def act(stage: Stage, _: Random) -> Iterator[str]:
        victim = stage.server(server)
        with stage.supervisor.held(victim), ExitStack() as stopped:
            if (pid := victim.pid) is not None:
                stopped.enter_context(_stopped(pid))  # first, so that it makes no more of them
                for child in psutil.Process(pid).children(recursive=True):
                    stopped.enter_context(_stopped(child.pid))
            yield f"SIGSTOP of {server}"

    return act


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def away(*servers: str, gently: bool) -> Act:
    """Return the nemesis that stops one of ``servers``, or kills it, and starts it again."""

    @contextmanager
    def act(stage: Stage, random: Random) -> Iterator[str]:
        victim = stage.server(random.choice(servers))
        with stage.supervisor.held(victim):
            if gently:
                victim.stop()
            else:
                victim.kill()
            yield f"{victim.name} {'stopped' if gently else 'killed'}"
        # The supervisor starts it.

    return act


def rebalance(service: str) -> Act:
    """Return the nemesis that lets a second replica join in mid-batch, and leave again, in good order or not."""

    @contextmanager
    def act(stage: Stage, random: Random) -> Iterator[str]:
        guest, gently = stage.guest(service), random.random() < 0.5
        leaves = "leaves" if gently else "is killed"
        if guest in stage.replicas:  # it belongs to the run: it leaves first, and joins again
            with stage.supervisor.held(guest):
                guest.stop() if gently else guest.kill()
                yield f"{guest.name} {leaves}, and joins again"
            return
        with suppress(DevstackError):  # where a server went away by itself meanwhile
            beside = stage.stack.service(service).record
            guest.launch(beside["dsn"], beside["bootstrap"], beside["registry"], SHORT_TIMES)
            guest.wait_ready()
        try:
            yield f"{guest.name} joins, and {leaves}"
        finally:
            guest.stop() if gently else guest.kill()

    return act
