"""Batches and no batches: what is gained by handling many messages in one transaction."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.figures import Figures
from bench.plan import Plan
from bench.rig import Rig
from devstack.services import NAMES
from devstack.stack import Stack

_CALLERS = 64
_ORDERS = 1_000
"""One by one, as many take some seconds."""
_JOINING = 16
"""Orders after which every consumer has its partitions again."""
_RATE = "completed orders/s"


def measure(rig: Rig, plan: Plan) -> None:
    """Measure how fast the same orders are completed one by one, and with batches, turn about."""
    for _ in range(plan.rounds):
        with _one_by_one(rig.stack):
            singly = _round(rig)
        batches = _round(rig)
        plan.keep("messages handled one by one", singly)
        plan.keep("messages handled in batches", batches | {"ratio to one by one": batches[_RATE] / singly[_RATE]})


def _round(rig: Rig) -> Figures:
    rig.place(_JOINING, _JOINING)
    rig.drain()
    figures = rig.costed(lambda: rig.caller.closed(_CALLERS, at_most=_ORDERS))
    return {name: value for name, value in figures.items() if name.startswith((_RATE, "CPU-s", "messages/transaction"))}


@contextmanager
def _one_by_one(stack: Stack) -> Iterator[None]:
    """Have every consumer handle each message in a transaction of its own; afterwards batches are as usual."""
    try:
        _restart(stack, {"CONSUMER_BATCH_SIZE": "1"})
        yield
    finally:
        _restart(stack, {})


def _restart(stack: Stack, settings: Mapping[str, str]) -> None:
    def anew(name: str) -> None:
        stack.service(name).stop()
        stack.service(name).start(extra_env=settings)

    with ThreadPoolExecutor() as pool:
        list(pool.map(anew, NAMES))
