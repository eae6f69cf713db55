"""The faults that a run is put under: each is begun, lasts, and is healed. Chosen and timed by a seed alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from random import Random

from tests.chaos import (
    nemeses_bytes,
    nemeses_data,
    nemeses_database,
    nemeses_processes,
    nemeses_strangers,
    nemeses_topics,
)
from tests.chaos.evidence import SERVICES
from tests.chaos.stage import Stage

Act = Callable[[Stage, Random], AbstractContextManager[str]]
"""Begins a fault on entering and heals it on leaving; tells what it did."""
_FIRST_SECONDS = 3.0
_GAP_SECONDS = (4.0, 10.0)
_LONG_RUN_SECONDS = 500.0
_LONG_AWAY_SECONDS = 60.0
SERVERS = ("postgres", "kafka", "registry")


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


def _catalogue() -> Iterator[Nemesis]:
    for service in SERVICES:
        alone = frozenset({service})
        yield Nemesis(f"kill-{service}", alone, (0.5, 5), 5, nemeses_processes.kill(service))
        yield Nemesis(f"freeze-{service}", alone, (8, 12), 5, nemeses_processes.freeze(service))
        with_others = frozenset({f"{service}-2", *SERVERS})
        yield Nemesis(f"rebalance-{service}", with_others, (3, 8), 1, nemeses_processes.rebalance(service))
    for server in SERVERS:
        uses = frozenset({"registry", "kafka"} if server == "registry" else {server})
        yield Nemesis(f"restart-{server}", uses, (0.5, 3), 8, nemeses_processes.away(server, gently=True))
        yield Nemesis(f"kill-{server}", uses, (0.5, 3), 8, nemeses_processes.away(server, gently=False))
        yield Nemesis(f"away-{server}", uses, (10, 20), 10, nemeses_processes.away(server, gently=True))
    kafka = frozenset({"kafka", "registry"})
    yield Nemesis("topic-remade", kafka, (1, 1), 8, nemeses_topics.remade)
    yield Nemesis("duplicates", kafka, (1, 1), 2, nemeses_topics.duplicates)
    yield Nemesis("poison", kafka, (1, 1), 2, nemeses_topics.poison)
    yield Nemesis(
        "restored", frozenset({"order_svc", "order_svc-2", "kafka", "postgres"}), (4, 8), 5, nemeses_data.restored
    )
    yield Nemesis("clock-forward", frozenset({"postgres"}), (3, 6), 2, nemeses_data.clock_jump(-3))
    yield Nemesis("clock-back", frozenset({"postgres"}), (5, 10), 2, nemeses_data.clock_jump(3))
    yield Nemesis("read-only", frozenset({"postgres"}), (5, 10), 4, nemeses_database.read_only)
    yield Nemesis("refusing", frozenset({"postgres"}), (4, 8), 4, nemeses_database.refusing)
    yield Nemesis("altered", frozenset({"postgres"}), (2, 5), 2, nemeses_database.altered)
    yield Nemesis("poison-schema", kafka, (1, 1), 2, nemeses_bytes.poison_schema)
    yield Nemesis("poison-values", kafka, (1, 1), 2, nemeses_bytes.poison_values)
    everything = frozenset({*SERVERS, *SERVICES, *(f"{service}-2" for service in SERVICES)})
    yield Nemesis("registry-rebuilt", everything - {"postgres"}, (1, 3), 5, nemeses_strangers.registry_rebuilt)
    quiet = frozenset({*SERVERS, "orchestrator_svc", "orchestrator_svc-2", "product_svc", "product_svc-2"})
    yield Nemesis("transactions", quiet, (12, 14), 4, nemeses_strangers.transactions)
    yield Nemesis("second-installation", everything, (5, 8), 4, nemeses_strangers.second_installation)


CATALOGUE = tuple(_catalogue())


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
    bag: list[Nemesis] = []
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
