"""What ``ordersaga saga top`` shows of one moment: counts by step, the longest waiting sagas, how fast sagas begin."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub

from ordersaga_cli import show
from ordersaga_cli.calls import CALL_SECONDS

LONGEST = 10
"""How many of the longest waiting sagas are shown."""
_PAGE = 1000
_NEWEST = 500
_RATE_SECONDS = 10.0
_AGES = (86_400, 3_600, 600, 60, 10, 0)
"""Seconds since a saga's begin, from which on those that wait longest are looked for."""
_UNDER_WAY = (pb.SAGA_STATUS_RUNNING, pb.SAGA_STATUS_COMPENSATING)
Place = tuple[str, str]
"""A status and a step."""


@dataclass(frozen=True)
class Snapshot:
    """The sagas under way at one moment."""

    time: datetime
    on_time: Counter[Place] = field(default_factory=Counter)
    """How many wait for an answer, by status and step, and have not been asked for it again."""
    retrying: Counter[Place] = field(default_factory=Counter)
    stuck: Counter[Place] = field(default_factory=Counter)
    more: bool = False
    """Whether there are more sagas than were counted."""
    begun: float = 0.0
    """Sagas that began in a second, over the last ten, or over the newest 500 sagas where these are younger."""
    longest: tuple[pb.Saga, ...] = ()
    """Those that have waited longest, the longest first."""

    @property
    def places(self) -> list[Place]:
        """Where sagas stand: those that go forward first, then by step."""
        return sorted({*self.on_time, *self.retrying, *self.stuck}, key=lambda place: (place[0] != "RUNNING", place))

    @property
    def under_way(self) -> int:
        """How many sagas have not ended."""
        return sum(counts.total() for counts in (self.on_time, self.retrying, self.stuck))

    def as_dict(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "time": self.time.isoformat(),
            "under_way": self.under_way,
            "more": self.more,
            "begun_per_second": round(self.begun, 3),
            "counts": [
                {
                    "status": status,
                    "step": step,
                    "waiting": self.on_time[status, step],
                    "retrying": self.retrying[status, step],
                    "stuck": self.stuck[status, step],
                }
                for status, step in self.places
            ],
            "longest_waiting": [show.as_dict(saga) for saga in self.longest],
        }


def look(sagas: OrchestratorServiceStub) -> Snapshot:
    """Ask the orchestrator for the present moment.

    Raises:
        grpc.RpcError: a call fails.
    """
    counted = sagas.CountSagas(pb.CountSagasRequest(), timeout=CALL_SECONDS)
    snapshot = Snapshot(datetime.now(UTC), more=counted.more, begun=_begun(sagas), longest=_longest(sagas))
    for one in counted.counts:
        counts = snapshot.stuck if one.stuck else snapshot.retrying if one.retrying else snapshot.on_time
        counts[show.status(pb.SagaStatus.Name(one.status)), one.step] += one.count
    return snapshot


def _begun(sagas: OrchestratorServiceStub) -> float:
    """Return how many sagas began in a second lately."""
    newest = sagas.ListSagas(pb.ListSagasRequest(page_size=_NEWEST), timeout=CALL_SECONDS).sagas
    ages = [max(0.0, show.since(saga.create_time)) for saga in newest]
    lately = [age for age in ages if age <= _RATE_SECONDS]
    if len(lately) < _NEWEST:
        return len(lately) / _RATE_SECONDS
    return len(lately) / max(*lately, 0.001)


def _longest(sagas: OrchestratorServiceStub) -> tuple[pb.Saga, ...]:
    """Return those that have waited longest.

    No list goes by how long a saga has waited. But none waits longer than it is old, so once enough have waited for as
    long as an age, no younger one belongs to them. Where a thousand are that old, only the newest of these are seen.
    """
    found: list[pb.Saga] = []
    for age in _AGES:
        found = sorted(_older_than(sagas, age), key=lambda saga: saga.waiting_since.ToNanoseconds())
        if sum(show.since(saga.waiting_since) >= age for saga in found) >= LONGEST:
            break
    return tuple(found[:LONGEST])


def _older_than(sagas: OrchestratorServiceStub, seconds: int) -> Iterator[pb.Saga]:
    for status in _UNDER_WAY:
        request = pb.ListSagasRequest(page_size=_PAGE, status=status, min_age=Duration(seconds=seconds))
        yield from sagas.ListSagas(request, timeout=CALL_SECONDS).sagas
