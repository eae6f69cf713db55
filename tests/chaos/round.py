"""One round: a load, a schedule of faults, the wait until all is final, and the verdict."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg

from devstack.errors import DevstackError
from devstack.services import Service
from devstack.stack import Stack
from tests.chaos.checker import Violation, check
from tests.chaos.director import Director, Done
from tests.chaos.evidence import SERVICES, Evidence
from tests.chaos.harness import Supervisor, prepare
from tests.chaos.load import Load
from tests.chaos.nemeses import chosen, schedule
from tests.chaos.recorder import Recorder
from tests.chaos.stage import Stage

Log = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What a round is made from; the same settings give the same faults and the same customers."""

    seed: int
    duration: float
    """Seconds of load and faults."""
    replicas: int = 1
    nemeses: tuple[str, ...] = ()
    """Beginnings of the kinds of fault to choose from; none: all."""
    rate: float = 10.0
    """Customers a second."""
    threads: int = 8
    bound: float = 120.0
    """Seconds after the last heal within which all must be final."""
    secure: bool = False
    """Whether the stack is closed."""


@dataclass
class Result:
    """What came of a round."""

    settings: Settings
    evidence: Evidence
    violations: list[Violation]
    faults: list[Done]
    final_after: float | None
    """Seconds from the last heal until all was final; None where it was not within the bound."""
    restarts: Counter[str]
    deaths: list[tuple[float, str, str]]
    codes: Counter[str]
    missed: Counter[str] = field(default_factory=Counter)


def run(stack: Stack, settings: Settings, log: Log = lambda _: None) -> Result:
    """Run one round on ``stack``, which is brought up for it.

    Raises:
        DevstackError: the stack does not come up.
    """
    faults = schedule(settings.seed, settings.duration, chosen(settings.nemeses), settings.replicas)
    log(f"starting the stack; {len(faults)} faults will follow")
    replicas = prepare(stack, settings.replicas)
    dsns = {name: stack.service(name).dsn for name in SERVICES}
    recorder = Recorder(stack.bootstrap, stack.registry_url, dsns)
    members = [*(stack.service(name) for name in SERVICES), *replicas]
    load = Load(recorder, {name: _addresses(members, name) for name in SERVICES}, settings.seed)
    supervisor = Supervisor(stack)
    stage = Stage(stack, supervisor, recorder, load, replicas)
    supervisor.begin()
    director = Director(stage, log)
    try:
        try:
            with recorder.fault("start", [*SERVICES, "kafka"]):  # groups have yet to give out their partitions
                load.start(settings.rate, settings.threads)
            director.play(faults, settings.duration)
        finally:
            director.heal()
            load.stop()
        healed = time.monotonic()
        log("healed; waiting until all is final")
        settled = _settle(recorder, members, settings.bound)
        final_after = time.monotonic() - healed if settled else None
        evidence = recorder.finish()
    finally:
        supervisor.end()
    log("checking")
    began = director.began
    deaths = [(when - began, name, line) for when, name, line in supervisor.deaths]
    return Result(
        settings, evidence, check(evidence), director.done, final_after, supervisor.restarts, deaths, load.codes,
        recorder.missed,
    )  # fmt: skip


def _addresses(members: Sequence[Service], module: str) -> list[str]:
    return [member.grpc for member in members if member.module == module]


def _settle(recorder: Recorder, members: Sequence[Service], bound: float) -> bool:
    """Wait until all services are ready and nothing is under way; say whether that came within ``bound`` seconds."""
    give_up = time.monotonic() + bound
    while time.monotonic() < give_up:
        try:
            if all(member.ready() for member in members) and not _under_way(recorder):
                return True
        except (psycopg.Error, DevstackError):
            pass
        time.sleep(0.5)
    return False


def _under_way(recorder: Recorder) -> int:
    """Count the orders, sagas and outbox rows that are not done with."""
    removed = list(recorder.evidence.removed())
    count: int = 0
    with recorder.reader.connect("order_svc") as orders:
        pending = "SELECT count(*) FROM orders WHERE status = 'PENDING' AND order_id <> ALL(%s::bigint[])"
        count += (orders.execute(pending, [removed]).fetchone() or (0,))[0]
        fresh = "SELECT count(*) FROM outbox WHERE create_time < now() - interval '2 seconds'"
        count += (orders.execute(fresh).fetchone() or (0,))[0]
    with recorder.reader.connect("orchestrator_svc") as sagas:
        open_ones = "SELECT count(*) FROM sagas WHERE status IN ('RUNNING', 'COMPENSATING')"
        count += (sagas.execute(open_ones).fetchone() or (0,))[0]
    return count
