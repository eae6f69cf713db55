"""While orders may be missing nothing relies on them, and ids that may have been given out are not given again."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, NoReturn, TypeVar, cast

import pytest
from ordersaga.messages import OrderCreated

from order_svc import recovery, store
from order_svc.recovery import Recovery
from sagakit.errors import NotHeardOf, Unavailable
from sagakit.kafka.consumed import Partition
from sagakit.messages import Message
from sagakit.offsets import rereading, stored_offsets
from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.postgres.timelines import Timelines
from sagakit.records import Record

T = TypeVar("T")
PIPELINE = cast("Pipeline", None)


class Chosen(Timelines):
    """The history that a test says the database tells."""

    def __init__(self) -> None:
        super().__init__()
        self.line = "1/1"

    def look(self, _: Transaction) -> None:
        """Leave it as it is."""


class Histories:
    """A database that nothing is in, and the number of its history."""

    def __init__(self) -> None:
        self.timelines = Chosen()

    def transact(self, function: Callable[[Transaction], T]) -> T:
        return function(PIPELINE)


@pytest.fixture
def database() -> Histories:
    return Histories()


def note_histories(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep in memory which history was noted."""
    noted: list[str] = []
    monkeypatch.setattr(store, "history", lambda _: noted[-1] if noted else None)
    monkeypatch.setattr(store, "note_history", lambda _, line: noted.append(line))


@pytest.fixture
def gaps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The gaps that are left between ids; Kafka has no orders."""
    left: list[int] = []
    monkeypatch.setattr(rereading, "reader", lambda _: None)
    monkeypatch.setattr(rereading, "ends", lambda *_: {})
    monkeypatch.setattr(rereading, "between", lambda *_: iter(()))
    monkeypatch.setattr(stored_offsets, "read", lambda _: {})
    note_histories(monkeypatch)
    monkeypatch.setattr(store, "last_number", lambda _: 7)
    monkeypatch.setattr(store, "number_on", lambda _, *, behind, gap: left.append(behind + gap))
    return left


@pytest.fixture
def found(database: Histories, gaps: list[int]) -> Recovery:
    assert gaps == []
    nobody: Any = None  # there is nothing to decode
    kept: Any = database
    return Recovery(kept, nobody, {}, announce_after_seconds=60.0)


def test_until_it_is_whole_nothing_is_handled_nor_stored(database: Histories, found: Recovery) -> None:
    handle = found.guarding(lambda _, __: [])
    for number in range(2):
        database.timelines.number = number
        with pytest.raises(Unavailable, match="may have gone back"):
            database.timelines.must_be_whole()
        with pytest.raises(Unavailable, match="may have gone back"):
            handle([], PIPELINE)
        found.recover()
        database.timelines.must_be_whole()
        assert handle([], PIPELINE) == []


def test_a_database_that_went_back_skips_ids_that_may_never_have_reached_kafka(
    database: Histories, found: Recovery, gaps: list[int]
) -> None:
    found.recover()
    assert gaps == [], "it is found whole when the service starts"
    database.timelines.number = 1
    found.recover()
    found.recover()
    assert len(gaps) == 1
    assert gaps[0] >= 1000, "several groups of orders are stored before the first is published"


@pytest.mark.parametrize(("line", "left"), [("1/1", 0), ("1/2", 1), ("", 0)], ids=["same", "another", "untold"])
def test_a_service_that_starts_skips_ids_where_the_database_has_another_history_than_was_noted(
    database: Histories, found: Recovery, gaps: list[int], line: str, left: int
) -> None:
    found.recover()
    database.timelines.line = line
    nobody: Any = None
    kept: Any = database
    for _ in range(2):
        Recovery(kept, nobody, {}, announce_after_seconds=60.0).recover()
    assert len(gaps) == left, "once, by the first that starts"


class Kafka:
    """The topic ``order-created`` by partition, and the offsets up to which the database knows it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.said: defaultdict[Partition, list[OrderCreated]] = defaultdict(list)
        self.noted: dict[Partition, int] = {}
        self.restored: list[int] = []
        monkeypatch.setattr(rereading, "reader", lambda _: None)
        monkeypatch.setattr(rereading, "ends", lambda *_: {one: len(said) for one, said in self.said.items()})
        monkeypatch.setattr(rereading, "between", self._between)
        monkeypatch.setattr(stored_offsets, "read", lambda _: dict(self.noted))
        monkeypatch.setattr(stored_offsets, "write", lambda _, ends: self.noted.update(ends))
        note_histories(monkeypatch)
        monkeypatch.setattr(store, "last_number", lambda _: 7)
        monkeypatch.setattr(store, "number_on", lambda *_, **__: None)
        monkeypatch.setattr(store, "restore", self._restore)

    def say(self, partition: int, order_id: int) -> None:
        created = OrderCreated(
            order_id=order_id, user_id=1, product_id=1, quantity=1, price=1, address="", create_time=datetime.now(UTC)
        )
        self.said[OrderCreated.TOPIC, partition].append(created)

    def _between(self, _: object, begin: Mapping[Partition, int], end: Mapping[Partition, int]) -> Iterator[object]:
        for partition, to in end.items():
            for record in self.said[partition][max(0, begin.get(partition, to)) : to]:
                yield SimpleNamespace(key=lambda: None, value=lambda announced=record: announced, headers=lambda: None)

    def _restore(self, _: Transaction, announced: Sequence[OrderCreated], *__: object) -> set[int]:
        self.restored += [order.order_id for order in announced]
        return {order.order_id for order in announced}


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    return Kafka(monkeypatch)


@pytest.fixture
def reading(database: Histories, kafka: Kafka) -> Recovery:
    """A recovery that has noted an order in partition 0."""
    codec: Any = SimpleNamespace(decode=lambda _, __, value, *___: value)
    kept: Any = database
    kafka.say(0, 1)
    found = Recovery(kept, codec, {}, announce_after_seconds=60.0)
    found.recover()
    assert kafka.restored == []
    return found


def test_an_order_that_comes_into_kafka_after_its_database_forgot_it_is_restored(
    database: Histories, reading: Recovery, kafka: Kafka
) -> None:
    database.timelines.number = 1
    reading.recover()
    kafka.say(0, 2)
    kafka.noted[OrderCreated.TOPIC, 0] = 2  # by another replica, which does not know yet that the database went back
    reading.recover()
    assert kafka.restored == [2]


def test_an_order_in_a_partition_that_was_added_since_is_restored(
    database: Histories, reading: Recovery, kafka: Kafka
) -> None:
    kafka.say(1, 2)
    database.timelines.number = 1
    reading.recover()
    assert kafka.restored == [2]


def unheard_of(_: Sequence[Message[Record]], __: Pipeline) -> NoReturn:
    raise NotHeardOf("UNKNOWN_ORDER", "there is no order 2")


def test_what_is_about_an_order_that_may_yet_be_restored_waits_and_is_not_parked(
    database: Histories, reading: Recovery, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = reading.guarding(unheard_of)
    with pytest.raises(NotHeardOf):
        handle([], PIPELINE)
    database.timelines.number = 1
    reading.recover()
    with pytest.raises(Unavailable, match="may yet be found"):
        handle([], PIPELINE)
    monkeypatch.setattr(recovery, "_LATE_SECONDS", 0.0)
    database.timelines.number = 2
    reading.recover()
    with pytest.raises(NotHeardOf):
        handle([], PIPELINE)
