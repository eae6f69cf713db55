"""One replica of each service and two: what is gained, and what it costs, on the same machine."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench.counts import Counts, counts
from bench.figures import Figures
from bench.load import Caller
from bench.plan import Plan
from bench.rig import PRICE, Rig
from bench.steady import CALLERS
from devstack.services import NAMES, Service

_SETTLE_SECONDS = 5.0
"""Of load, after replicas have come or gone: the consumer groups share their partitions out anew."""


def measure(rig: Rig, plan: Plan) -> None:
    """Measure throughput and costs with one replica of each service and with two, turn about."""
    seconds = [rig.stack.replica(name) for name in NAMES]
    for _ in range(plan.rounds):
        rig.warm_up(_SETTLE_SECONDS)
        plan.keep("1 replica of each service", _what_matters(rig.throughput(CALLERS, plan.seconds)))
        with _running(seconds):
            caller = _calling_all(rig)
            rig.warm_up(_SETTLE_SECONDS, caller)
            before = counts(rig.stack)
            figures = _what_matters(rig.throughput(CALLERS, plan.seconds, caller))
            plan.keep("2 replicas of each service", figures | _shares(before, counts(rig.stack)))


@contextmanager
def _running(services: list[Service]) -> Iterator[None]:
    with ThreadPoolExecutor() as pool:
        try:
            list(pool.map(lambda service: service.start(), services))
            yield
        finally:
            list(pool.map(lambda service: service.stop(), services))


def _calling_all(rig: Rig) -> Caller:
    """Return a caller whose calls are spread over the replicas of order_svc."""
    addresses = [part.address for part in rig.stack.parts if isinstance(part, Service) and part.module == "order_svc"]
    return Caller(addresses, rig.products, PRICE)


def _what_matters(figures: Figures) -> Figures:
    wanted = ("completed", "create", "CPU-s", "messages/transaction", "memory")
    return {name: value for name, value in figures.items() if name.startswith(wanted)}


def _shares(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> Figures:
    """Return what part of the messages and of the creates the second replicas handled, in percent."""
    handled = {name: counted.since(before[name]).messages for name, counted in after.items()}
    firsts = [name for name in handled if f"{name}-2" in handled]
    return {
        f"% of {name} by the second replica": 100 * handled[f"{name}-2"] / max(1, handled[name] + handled[f"{name}-2"])
        for name in firsts
    }
