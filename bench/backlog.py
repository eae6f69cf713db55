"""A backlog: orders that pile up while no orchestrator runs, and how they are worked off once it does."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench.figures import Figures
from bench.plan import Plan
from bench.rig import Rig
from bench.steady import CALLERS
from bench.usage import LOAD, memory
from devstack.services import Service
from devstack.stack import Stack

_SAMPLE_SECONDS = 1.0
_LAST = "SELECT coalesce(max(order_id), 0) FROM orders"
# From the first saga that is stored to the last order that is complete, by the database's clock.
_FIRST = "SELECT extract(epoch FROM min(create_time)) FROM sagas WHERE saga_id > %s"
_END = "SELECT extract(epoch FROM max(update_time)) FROM orders WHERE order_id > %s"


def measure(rig: Rig, plan: Plan) -> None:
    """Measure how fast a backlog is worked off, against the steady rate just before, and what memory it takes."""
    for _ in range(plan.rounds):
        steady = rig.throughput(CALLERS, plan.seconds)["completed orders/s"]
        plan.keep(f"backlog of {plan.backlog:,} orders", _round(rig, plan.backlog, steady))


def _round(rig: Rig, orders: int, steady: float) -> Figures:
    """Pile up ``orders``, work them off, and return the figures; ``steady`` is the usual rate, completed orders/s."""
    orchestrator = rig.stack.service("orchestrator_svc")
    before = memory(rig.stack)
    orchestrator.stop()
    last = _one(rig.stack.service("order_svc"), _LAST)
    with _peaks(rig.stack) as peaks:
        began = time.perf_counter()
        rig.place(CALLERS, orders)
        placed = orders / (time.perf_counter() - began)
        orchestrator.start()
        rig.drain()
    first, end = _one(orchestrator, _FIRST, last), _one(rig.stack.service("order_svc"), _END, last)
    rate = orders / (end - first)
    figures = {
        "worked off orders/s": rate,
        "ratio to the steady rate": rate / steady,
        "placed orders/s": placed,
    }
    parts = [name for name in before if name != LOAD]
    figures |= {f"memory MB {name}, peak": peaks[name] / 1e6 for name in parts}
    return figures | {f"memory {name}, peak to before": peaks[name] / before[name] for name in parts}


def _one(service: Service, query: str, *values: float) -> float:
    with psycopg.connect(service.dsn) as connection:
        row = connection.execute(query.encode(), values).fetchone()
    return float(row[0]) if row else 0.0


@contextmanager
def _peaks(stack: Stack) -> Iterator[dict[str, int]]:
    """Yield the most memory that each part has had since, in bytes, sampled every second beside whatever goes on."""
    peaks: dict[str, int] = {}
    over = threading.Event()

    def sample() -> None:
        while True:
            for name, size in memory(stack).items():
                peaks[name] = max(size, peaks.get(name, 0))
            if over.wait(_SAMPLE_SECONDS):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peaks
    finally:
        over.set()
        thread.join()
