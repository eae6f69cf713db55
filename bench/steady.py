"""Steady loads: callers who order again and again, one caller alone, arrivals at half of what is possible."""

import statistics

from bench.plan import Plan
from bench.rig import Rig

CALLERS = 256
"""Callers at once of all measurements but the one that has few."""
_FEW = 64
_HALF = 0.5
_FIXED_RATE = 1_000
"""Orders a second that arrive however fast the machine is today, so that runs can be compared."""
_RATE = "completed orders/s"
_IDLE_WARM_UP_SECONDS = 30.0
"""Kafka goes other ways for a lone message than for a crowd, and its compiler takes as long to be done with them."""
_OPEN_WARM_UP_SECONDS = 30.0


def closed(rig: Rig, plan: Plan) -> None:
    """Measure throughput, latency and costs with 64 and with 256 callers, each of whom waits for the last answer."""
    for callers in (_FEW, CALLERS):
        for _ in range(plan.rounds):
            plan.keep(f"{callers} callers", rig.throughput(callers, plan.seconds))


def idle(rig: Rig, plan: Plan) -> None:
    """Measure how long one order takes where there is no other."""
    rig.idle(_IDLE_WARM_UP_SECONDS)
    for _ in range(plan.rounds):
        plan.keep("idle", rig.idle(plan.seconds))


def half_load(rig: Rig, plan: Plan) -> None:
    """Measure latencies with orders that arrive at half of the rate of 256 callers, and at one that never changes."""
    full = plan.measured.get(f"{CALLERS} callers") or [rig.throughput(CALLERS, plan.seconds)]
    rate = statistics.median(figures[_RATE] for figures in full) * _HALF
    rig.settle()
    rig.arrivals(rate, _OPEN_WARM_UP_SECONDS)
    for _ in range(plan.rounds):
        plan.keep(f"half of the load of {CALLERS} callers", rig.arrivals(rate, plan.seconds))
        plan.keep(f"{_FIXED_RATE:,} arrivals/s", rig.arrivals(_FIXED_RATE, plan.seconds))
