"""The kit with one of its guards taken out: the consumer, its offsets, the outbox and the group commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any
from unittest.mock import patch

from confluent_kafka import Message as KafkaMessage

import sagakit.offsets.starting_points
import sagakit.outbox.group_commit
from sagakit.consumer.batch_handler import BatchHandler, Failed
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.membership import Membership
from sagakit.families import passes
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.offsets.handled import Offsets
from sagakit.outbox import relay, table
from sagakit.outbox.relay import Relay
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.database import KeptConnection
from sagakit.postgres.pipeline import Pipeline
from sagakit.runtime.set_aside import Claim
from sagakit.testing.world.faults import Fault
from tests.chaos.simulation.actions import (
    DELIVERY,
    ORCHESTRATOR,
    PRODUCT,
    Contradict,
    GoBack,
    Keep,
    Place,
    PlaceTogether,
    Process,
    Progress,
    Wait,
    Wake,
)
from tests.chaos.simulation.actions import Relay as Relaying
from tests.chaos.simulation.mutants import Mutant
from tests.chaos.simulation.world import Kind

_Before = Callable[..., Any]


def _instead(owner: Any, name: str, mistaken: Callable[..., Any]) -> AbstractContextManager[object]:
    """Have ``mistaken`` do what ``owner.name`` does, which it is given first."""
    real: _Before = getattr(owner, name)
    return patch.object(owner, name, lambda *args, **options: mistaken(real, *args, **options))


def _offsets_first(handle: _Before, self: Any, batch: Sequence[KafkaMessage]) -> Failed:
    self._offsets.add(batch)
    self.store()
    failed: Failed = handle(self, batch)
    return failed


def _publish_inside(_: _Before, self: Any, messages: Sequence[Any]) -> None:
    before = self._offsets.along()

    def react(pipeline: Pipeline) -> None:
        self._producer.deliver(self._react(messages, pipeline, before))

    self._connection.transact(react)
    self._offsets.stored(before)


def _rewind_one_too_short(rewind: _Before, self: Any, batch: Sequence[KafkaMessage], ends: Sequence[Any]) -> None:
    rewind(self, batch[1:], ends)


def _rewind_one_too_far(rewind: _Before, self: Any, batch: Sequence[KafkaMessage], ends: Sequence[Any]) -> None:
    rewind(self, [_earlier(one) for one in batch], ends)


def _earlier(one: KafkaMessage) -> KafkaMessage:
    return KafkaMessage(topic=one.topic(), partition=one.partition(), offset=max(0, (one.offset() or 0) - 1))


def _remove_first(_: _Before, self: Any, pipeline: Pipeline, claim: Claim) -> int:
    given = {"age": self._age, "limit": claim.limit, "set_aside": "{}"}
    rows = pipeline.execute(relay._CLAIM, given).fetchall()  # noqa: SLF001 - a mutant is inside
    table.remove(pipeline, [row.outbox_id for row in rows])
    pipeline.commit()
    self._producer.deliver([relay._message(row) for row in rows])  # noqa: SLF001
    return len(rows)


async def _take_for_published(deliver: _Before, self: Any, unsent: Sequence[tuple[Encoded, int]]) -> None:
    self._published += (row for _, row in unsent)
    await deliver(self, unsent)


def _whatever_becomes_of_it(deliver: _Before, self: Any, messages: Sequence[Encoded], *patience: float) -> None:
    with suppress(Exception):
        deliver(self, messages, *patience)


def _park_all(_: _Before, self: Any, pairs: Sequence[Any], *, again: bool = False) -> Failed:  # noqa: ARG001
    try:
        self._apply([message for _, message in pairs])
    except Exception as error:
        if passes(error):
            raise
        return [(raw, error) for raw, _ in pairs]
    return []


def _believe(must: _Before, self: Any, stored: Mapping[Any, int], history: int) -> None:
    self._history = history
    must(self, stored, history)


def _keep_offsets(lose: _Before, self: Any, *partitions: Any) -> None:
    with patch.object(self, "_forget", lambda _: None):
        lose(self, *partitions)


@contextmanager
def _nothing_is_looked_at() -> Iterator[None]:
    """Take out the look at what is stored, too: it comes a moment later, and finds the same."""
    with (
        _instead(KeptConnection, "__init__", lambda init, self, connect, _: init(self, connect, lambda _: None)),
        patch.object(Offsets, "known", {}),
        patch.object(Offsets, "must_be_stored", lambda *_: None),
    ):
        yield


_NOT_COMMITTED = (Process(ORCHESTRATOR, fault=Fault.COMMIT_LOST), Wait(1), Wait(1))
_REPLY_LOST = (Progress(1), Process(PRODUCT, fault=Fault.PUBLISH_REFUSED), Wait(1), Wait(1))
_DELIVERY_FORGOTTEN = (Progress(6), Wait(1), Wait(1), GoBack(DELIVERY))

KIT_MUTANTS = {
    "offsets are stored before the effects": Mutant(lambda: _instead(BatchHandler, "handle", _offsets_first), 12),
    "replies are published inside the transaction": Mutant(
        lambda: _instead(BatchHandler, "_apply", _publish_inside),
        7,
        (
            Place(Kind.TOO_BIG),
            Progress(1),
            Wait(1),
            Wait(1),
            Process(PRODUCT, limit=1, first=1, fault=Fault.BEFORE_COMMIT),
        ),
    ),
    "a rewind is one message too short": Mutant(
        lambda: _instead(Consumer, "_rewind", _rewind_one_too_short), 7, _NOT_COMMITTED
    ),
    "a rewind is one message too far": Mutant(lambda: _instead(Consumer, "_rewind", _rewind_one_too_far), 12),
    "an end that was told of before a rewind counts": Mutant(
        lambda: patch.object(Offsets, "rewound", lambda *_: None),
        7,
        _NOT_COMMITTED,
    ),
    "the broker is told before the database": Mutant(
        lambda: _instead(BatchHandler, "store", lambda _, self: self._offsets.stored(self._offsets.unstored())), 7
    ),
    "the offsets of a lost partition are kept": Mutant(
        lambda: _instead(Membership, "_lost", _keep_offsets),
        12,
        (
            Process(ORCHESTRATOR, fault=Fault.STOPPED),
            Place(Kind.GOOD),
            Place(Kind.GOOD),
            Process(ORCHESTRATOR),
            Wait(1),
            Wait(1),
            Wake(ORCHESTRATOR),
        ),
    ),
    "a reply that Kafka has not taken is taken for published": Mutant(
        lambda: _instead(Producer, "deliver", _whatever_becomes_of_it), 7, _REPLY_LOST
    ),
    "a poisoned batch is parked whole": Mutant(
        lambda: _instead(BatchHandler, "_try", _park_all),
        9,
        (Progress(2), Contradict(0), Place(Kind.GOOD), Place(Kind.GOOD), Progress(2)),
    ),
    "the relay removes before it publishes": Mutant(
        lambda: _instead(Relay, "_relay", _remove_first),
        5,
        (Place(Kind.GOOD, Fault.BEFORE_PUBLISH), Relaying(Fault.BEFORE_PUBLISH)),
    ),
    "the outbox is emptied before Kafka has its rows": Mutant(
        lambda: _instead(OutboxWriter, "_deliver", _take_for_published),
        5,
        (Place(Kind.GOOD, Fault.PUBLISH_REFUSED), Wait(1)),
    ),
    "calls of one group get each other's answers": Mutant(
        lambda: _instead(
            sagakit.outbox.group_commit, "_answer", lambda answer, group, results: answer(group, list(results)[::-1])
        ),
        4,
        (PlaceTogether((Kind.GOOD, Kind.BOX)),),
    ),
    "a database that went back is believed": Mutant(
        lambda: patch.object(sagakit.offsets.starting_points, "forgotten", lambda *_: {}), 3, _DELIVERY_FORGOTTEN
    ),
    "neither a new connection is looked at nor what was stored before": Mutant(
        _nothing_is_looked_at,
        3,
        _DELIVERY_FORGOTTEN,
    ),
    "another history of the database is believed": Mutant(
        lambda: _instead(Offsets, "must_be_in", _believe),
        3,
        (Progress(3), Wait(1), Wait(1), Keep(DELIVERY), Process(DELIVERY), GoBack(DELIVERY)),
    ),
}
