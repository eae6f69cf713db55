"""The pulse: how the whole system is at one moment, in one round of calls side by side."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from console_svc.failures import CallFailed, attempt
from console_svc.kafka import KafkaView
from console_svc.pace import PaceNow
from console_svc.services import Services
from console_svc.sources import Sources
from console_svc.words import listed, plural


@dataclass(frozen=True)
class ServiceState:
    """One service, as its health says."""

    name: str
    address: str
    health: str
    """``ready``, ``not ready`` or ``away``."""


@dataclass(frozen=True)
class Standing:
    """How many sagas stand somewhere."""

    total: int = 0
    stuck: int = 0
    retrying: int = 0
    """Whose command was sent again because no reply came, those that are stuck included."""

    @classmethod
    def of(cls, counts: Iterable[pb.SagaCount]) -> "Standing":
        """Add up some of the orchestrator's counts."""
        every = list(counts)
        return cls(
            sum(one.count for one in every),
            sum(one.count for one in every if one.stuck),
            sum(one.count for one in every if one.retrying),
        )


@dataclass(frozen=True)
class Pulse:
    """How everything is."""

    at: datetime
    services: tuple[ServiceState, ...]
    counts: tuple[pb.SagaCount, ...]
    """The sagas under way, by where they stand."""
    more: bool
    """Whether there are more sagas than were counted."""
    declaration: steps_pb2.GetSagaDeclarationResponse | None
    """How sagas are declared; None where the orchestrator does not say."""
    trouble: str
    """Why the counts are missing; empty where they are there."""
    kafka: KafkaView
    pace: PaceNow

    @property
    def all(self) -> Standing:
        """All sagas under way."""
        return Standing.of(self.counts)

    def of_status(self, status: str) -> Standing:
        """Return how many sagas have this status, such as ``RUNNING``."""
        wanted = pb.SagaStatus.Value(f"SAGA_STATUS_{status}")
        return Standing.of(one for one in self.counts if one.status == wanted)

    def at_step(self, step: str, status: pb.SagaStatus.ValueType) -> Standing:
        """Return how many sagas of this status wait for this step."""
        return Standing.of(one for one in self.counts if one.step == step and one.status == status)

    @property
    def absent(self) -> list[ServiceState]:
        """The services that are not ready."""
        return [one for one in self.services if one.health != "ready"]

    @property
    def tone(self) -> str:
        """``good``, ``late`` where somebody should look soon, ``bad`` where somebody should look now."""
        if self.absent or self.trouble or self.kafka.trouble or self.all.stuck:
            return "bad"
        return "late" if self.all.retrying or self.kafka.parked else "good"

    @property
    def verdict(self) -> str:
        """How things are, in one sentence."""
        if self.absent:
            names = listed([one.name for one in self.absent])
            waiting = plural(self.all.total, "saga waits", "sagas wait")
            meanwhile = f" {waiting} meanwhile; none is lost." if self.all.total else ""
            return f"{names} {'is' if len(self.absent) == 1 else 'are'} not ready.{meanwhile}"
        if self.trouble or self.kafka.trouble:
            return self.trouble or self.kafka.trouble
        standing = self.all
        if standing.stuck:
            return f"{plural(standing.stuck, 'saga is stuck', 'sagas are stuck')}: a person should look."
        if self.kafka.parked:
            return f"{plural(self.kafka.parked, 'dead letter waits', 'dead letters wait')} for a person."
        if standing.retrying:
            return (
                f"{plural(standing.retrying, 'saga waits', 'sagas wait')} longer than usual; they go on by themselves."
            )
        return "All is well."


async def take(sources: Sources, token: str) -> Pulse:
    """Return the pulse of now, as the holder of ``token`` may see it."""
    services = sources.services
    (counted, declared), health, kafka = await asyncio.gather(
        _sagas(services, token), asyncio.gather(*(service.health() for service in services.all)), sources.kafka.look()
    )
    return Pulse(
        at=datetime.now(UTC),
        services=tuple(
            ServiceState(service.name, service.address, state)
            for service, state in zip(services.all, health, strict=True)
        ),
        counts=() if isinstance(counted, CallFailed) else tuple(counted.counts),
        more=not isinstance(counted, CallFailed) and counted.more,
        declaration=None if isinstance(declared, CallFailed) else declared,
        trouble=counted.sentence if isinstance(counted, CallFailed) else "",
        kafka=kafka,
        pace=sources.pace.look(),
    )


async def _sagas(
    services: Services, token: str
) -> tuple[pb.CountSagasResponse | CallFailed, steps_pb2.GetSagaDeclarationResponse | CallFailed]:
    sagas = services.sagas
    counted = sagas.ask(sagas.stub.CountSagas, pb.CountSagasRequest(), token)
    declared = sagas.ask(sagas.stub.GetSagaDeclaration, steps_pb2.GetSagaDeclarationRequest(), token)
    return await asyncio.gather(attempt(counted), attempt(declared))
