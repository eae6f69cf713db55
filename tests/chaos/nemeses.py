"""The faults that a run is put under: each is begun, lasts, and is healed. Chosen and timed by a seed alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from tests.chaos import (
    nemeses_bytes,
    nemeses_clock,
    nemeses_data,
    nemeses_database,
    nemeses_processes,
    nemeses_strangers,
    nemeses_topics,
)
from tests.chaos.evidence import SERVICES
from tests.chaos.stage import Stage

Act = Callable[[Stage, Random], AbstractContextManager[str]]
"""Begins a fault on entering and heals it on leaving; yields what it did."""
_FIRST_SECONDS = 3.0
_GAP_SECONDS = (4.0, 10.0)
_LONG_RUN_SECONDS = 500.0
_LONG_AWAY_SECONDS = 60.0
DATABASES = tuple(f"postgres-{service}" for service in SERVICES)
"""The server of each service's database."""
SERVERS = (*DATABASES, "kafka", "registry")
_ALL = frozenset(DATABASES)
_KAFKA = frozenset({"kafka", "registry"})
_IN_EACH_RUN = ("kill-order_svc",)
"""The kinds that come first, so that a run has them however short it is."""
_SETTLES, _SETTLES_WITH_KAFKA = 25.0, 60.0


@dataclass(frozen=True)
class Nemesis:
    """One kind of fault."""

    kind: str
    uses: frozenset[str]
    """What it needs for itself while it lasts: no other fault touches that meanwhile."""
    seconds: tuple[float, float]
    """How long it lasts: at least, at most."""
    recovery: float
    """How long what it used is left alone afterwards, in seconds."""
    act: Act

    @property
    def settles(self) -> float:
        """For how long, after it was healed, the system may still be at work on what came of it, in seconds.

        A service that was away has started, and its group has given it its partitions, in ten. Where a message was
        lost, a timer has it sent again, the longest of which waits for 36 seconds; and a client that a broker has left
        without an answer is noticed after 30.
        """
        return _SETTLES_WITH_KAFKA if "kafka" in self.uses else _SETTLES


@dataclass(frozen=True)
class Fault:
    """One fault of a schedule."""

    number: int
    nemesis: Nemesis
    at: float
    """Seconds after the beginning of the run."""
    seconds: float
    seed: str
    """Of what is random in the fault itself."""


def _of_services() -> Iterator[Nemesis]:
    for service in SERVICES:
        alone = frozenset({service})
        yield Nemesis(f"kill-{service}", alone, (0.5, 5), 5, nemeses_processes.kill(service))
        yield Nemesis(f"freeze-{service}", alone, (8, 12), 5, nemeses_processes.freeze(service))
        yield Nemesis(f"slow-{service}", alone, (8, 12), 2, nemeses_processes.slow(service))
        with_others = frozenset({f"{service}-2", f"postgres-{service}", "kafka", "registry"})
        yield Nemesis(f"rebalance-{service}", with_others, (3, 8), 1, nemeses_processes.rebalance(service))


def _of_servers() -> Iterator[Nemesis]:
    for server in DATABASES:
        alone = frozenset({server})
        yield Nemesis(f"kill-{server}", alone, (0.5, 3), 8, nemeses_processes.away(server, gently=False))
        yield Nemesis(f"freeze-{server}", alone, (4, 12), 5, nemeses_processes.stall(server))
    yield Nemesis("restart-postgres", _ALL, (0.5, 3), 8, nemeses_processes.away(*DATABASES, gently=True))
    yield Nemesis("away-postgres", _ALL, (10, 20), 10, nemeses_processes.away(*DATABASES, gently=True))
    for server in ("kafka", "registry"):
        uses = frozenset({"kafka", server})
        yield Nemesis(f"restart-{server}", uses, (0.5, 3), 8, nemeses_processes.away(server, gently=True))
        yield Nemesis(f"kill-{server}", uses, (0.5, 3), 8, nemeses_processes.away(server, gently=False))
        yield Nemesis(f"away-{server}", uses, (10, 20), 10, nemeses_processes.away(server, gently=True))


def _of_topics() -> Iterator[Nemesis]:
    # What a database forgets must be in Kafka still: no topic is made anew while one goes back, or catches up.
    yield Nemesis("topic-remade", frozenset({*SERVERS}), (1, 1), 8, nemeses_topics.remade)
    yield Nemesis("duplicates", _KAFKA, (1, 1), 2, nemeses_topics.duplicates)
    yield Nemesis("poison", _KAFKA, (1, 1), 2, nemeses_topics.poison)
    yield Nemesis("poison-schema", _KAFKA, (1, 1), 2, nemeses_bytes.poison_schema)
    yield Nemesis("poison-values", _KAFKA, (1, 1), 2, nemeses_bytes.poison_values)
    yield Nemesis("partitions-added", _KAFKA, (1, 1), 8, nemeses_topics.partitions_added)


def _of_data() -> Iterator[Nemesis]:
    for service in SERVICES:
        yield Nemesis(
            f"goes-back-{service}", frozenset({f"postgres-{service}"}), (3, 8), 15, nemeses_data.goes_back(service)
        )
    orders = frozenset({"order_svc", "order_svc-2", "postgres-order_svc", "kafka"})
    yield Nemesis("restored", orders, (4, 8), 5, nemeses_data.restored)
    rows = frozenset({"postgres-order_svc", "postgres-orchestrator_svc"})
    yield Nemesis("clock-forward", rows, (3, 6), 2, nemeses_clock.jump(-3))
    yield Nemesis("clock-back", rows, (5, 10), 2, nemeses_clock.jump(3))
    yield Nemesis("clock-wrong", _ALL, (8, 12), 4, nemeses_clock.wrong)
    yield Nemesis("read-only", _ALL, (5, 10), 4, nemeses_database.read_only)
    yield Nemesis("refusing", _ALL, (4, 8), 4, nemeses_database.refusing)
    yield Nemesis("altered", _ALL, (2, 5), 2, nemeses_database.altered)


def _of_strangers() -> Iterator[Nemesis]:
    everything = frozenset({*SERVERS, *SERVICES, *(f"{service}-2" for service in SERVICES)})
    yield Nemesis("registry-rebuilt", everything - _ALL, (1, 3), 5, nemeses_strangers.registry_rebuilt)
    quiet = frozenset({*SERVERS, "orchestrator_svc", "orchestrator_svc-2", "product_svc", "product_svc-2"})
    yield Nemesis("transactions", quiet, (12, 14), 4, nemeses_strangers.transactions)
    yield Nemesis("second-installation", everything, (5, 8), 4, nemeses_strangers.second_installation)


CATALOGUE = (*_of_services(), *_of_servers(), *_of_topics(), *_of_data(), *_of_strangers())


def chosen(names: Sequence[str]) -> list[Nemesis]:
    """Return the nemeses whose kinds begin with one of ``names``; all of them where none is given.

    Raises:
        ValueError: a name fits none.
    """
    for name in names:
        if not any(nemesis.kind.startswith(name) for nemesis in CATALOGUE):
            raise ValueError(f"there is no nemesis {name!r}; there are {', '.join(n.kind for n in CATALOGUE)}")
    return [n for n in CATALOGUE if not names or any(n.kind.startswith(name) for name in names)]


def schedule(seed: int, duration: float, nemeses: Sequence[Nemesis], replicas: int = 1) -> list[Fault]:
    """Return the faults of a run: the same for the same arguments. Every kind comes before any comes again."""
    random = Random(f"schedule-{seed}")
    free = dict.fromkeys({part for nemesis in nemeses for part in nemesis.uses}, 0.0)
    first = [nemesis for nemesis in nemeses if nemesis.kind in _IN_EACH_RUN]
    bag = first + random.sample(others := [nemesis for nemesis in nemeses if nemesis not in first], len(others))
    faults: list[Fault] = []
    at = _FIRST_SECONDS
    while at < duration:
        if not bag:
            bag = random.sample(list(nemeses), len(nemeses))
        ready = next((n for n in bag if all(free[part] <= at for part in n.uses)), None)
        if ready is None:
            at += 1.0
            continue
        bag.remove(ready)
        seconds = random.uniform(*ready.seconds)
        if ready.kind.startswith("away-") and duration >= _LONG_RUN_SECONDS and _first(ready, faults):
            seconds = _LONG_AWAY_SECONDS
        if at + seconds <= duration:
            faults.append(Fault(len(faults) + 1, ready, at, seconds, f"{seed}-{len(faults)}-{replicas}"))
            free |= dict.fromkeys(ready.uses, at + seconds + ready.recovery)
        at += random.uniform(*_GAP_SECONDS)
    return faults


def _first(nemesis: Nemesis, faults: Sequence[Fault]) -> bool:
    return all(fault.nemesis is not nemesis for fault in faults)
