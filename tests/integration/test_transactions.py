"""Other programs' transactions: their markers are no messages, and open ones block nothing."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.messages import Outgoing
from sagakit.offsets.group_lag import GroupLag
from sagakit.runtime import metrics
from tests.support.scratch import Group, Recorded, scratch_group
from tests.support.wait import eventually

LOOK_SECONDS = 0.3


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, partitions=2) as group:
        yield group


@contextmanager
def transaction(group: Group, numbers: list[int], partition: int = 0) -> Iterator[Producer]:
    """Open a transaction of a stranger, with a ping for each number; it stays open unless it is ended."""
    producer = Producer({"bootstrap.servers": group.stack.bootstrap, "transactional.id": f"stranger-{uuid.uuid4()}"})
    producer.init_transactions(20)
    producer.begin_transaction()
    for number in numbers:
        sent = group.codec.encode(Outgoing(group.ping(number)))
        producer.produce(group.topic, sent.value, sent.key, partition, headers=list(sent.headers))
    assert producer.flush(15) == 0
    yield producer


def ended(group: Group, numbers: list[int], how: str, partition: int = 0) -> None:
    with transaction(group, numbers, partition) as producer:
        (producer.commit_transaction if how == "commit" else producer.abort_transaction)(15)


def ends(group: Group) -> list[int]:
    """Return where the partitions end, as any tool shows it."""
    asker = Consumer(
        {"bootstrap.servers": group.stack.bootstrap, "group.id": "x", "isolation.level": "read_uncommitted"}
    )
    try:
        return [asker.get_watermark_offsets(TopicPartition(group.topic, number), 10)[1] for number in range(2)]
    finally:
        asker.close()


def must_catch_up(group: Group, numbers: list[int]) -> None:
    """Check that each number has its effect, and that the lag and the stalled-partition detection find nothing."""

    def caught_up() -> None:
        assert group.effects() == numbers
        assert [max(0, offset) for offset in group.committed()] == ends(group)

    eventually(caught_up, 30)
    lag = GroupLag({"bootstrap.servers": group.stack.bootstrap}, group.name, [group.topic])
    lag.is_handled()
    assert lag.is_handled()


def rejoins() -> float:
    (family,) = metrics.REJOINED.collect()
    return family.samples[0].value


@pytest.mark.parametrize("how", ["commit", "abort"])
def test_a_marker_at_the_end_of_a_partition_is_nothing_to_read(group: Group, how: str) -> None:
    before, handle = rejoins(), Recorded()
    group.send([1])
    group.consume(handle, stall_seconds=LOOK_SECONDS)
    ended(group, [2, 3], how)
    must_catch_up(group, [1, 2, 3])
    ended(group, [4], how)
    ended(group, [5], how, partition=1)
    must_catch_up(group, [1, 2, 3, 4, 5])
    time.sleep(4 * LOOK_SECONDS)  # the stalled-partition detection looks a few times more
    assert rejoins() == before
    assert sorted(sum(handle.calls, [])) == [1, 2, 3, 4, 5], "none was read twice"  # noqa: RUF017 - a few short lists


def test_a_marker_that_a_group_has_stopped_at_is_passed_when_it_starts_again(group: Group) -> None:
    ended(group, [1, 2], "commit")
    assert ends(group) == [3, 0]
    before = Consumer({"bootstrap.servers": group.stack.bootstrap, "group.id": group.name})
    before.commit(offsets=[TopicPartition(group.topic, 0, 2)], asynchronous=False)
    before.close()
    group.consume(Recorded())

    def passed() -> None:
        assert group.committed()[0] == 3

    eventually(passed, 30)
    assert group.effects() == []


def test_a_transaction_that_is_left_open_holds_up_nothing(group: Group) -> None:
    group.consume(Recorded(), stall_seconds=LOOK_SECONDS)
    with transaction(group, [1]) as producer, transaction(group, [2], partition=1):
        group.send(range(10, 30))
        must_catch_up(group, [1, 2, *range(10, 30)])
        producer.abort_transaction(15)
        must_catch_up(group, [1, 2, *range(10, 30)])


def test_an_end_that_was_reached_with_a_batch_that_fails_is_not_committed(group: Group) -> None:
    failing = [True]

    def fail(_: list[int]) -> None:
        if failing:
            time.sleep(0.7)  # longer than the broker takes to say that the partition ends there
            raise Unavailable("not yet")

    ended(group, [1, 2], "commit")
    group.consume(Recorded(fail))
    time.sleep(4)
    assert max(group.committed()) < 1
    assert group.effects() == []
    failing.clear()
    must_catch_up(group, [1, 2])
