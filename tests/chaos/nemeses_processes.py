"""Faults of processes: killed, frozen, restarted, away; replicas that come and go."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from random import Random

from devstack.errors import DevstackError
from tests.chaos.harness import SHORT_TIMES
from tests.chaos.stage import Stage

Act = Callable[[Stage, Random], AbstractContextManager[str]]


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
    def act(stage: Stage, random: Random) -> Iterator[str]:
        victim = random.choice(stage.members(service))
        with stage.supervisor.held(victim):
            pid = victim.pid
            if pid is None:
                yield f"{victim.name} was down already"
                return
            os.kill(pid, signal.SIGSTOP)
            try:
                stage.recorder.sample(service)
                yield f"SIGSTOP of {victim.name}"
            finally:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    return act


def away(server: str, *, gently: bool) -> Act:
    """Return the nemesis that stops a server, or kills it, and starts it again."""

    @contextmanager
    def act(stage: Stage, _: Random) -> Iterator[str]:
        victim = stage.server(server)
        with stage.supervisor.held(victim):
            if gently:
                victim.stop()
            else:
                victim.kill()
            yield f"{server} {'stopped' if gently else 'killed'}"
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
