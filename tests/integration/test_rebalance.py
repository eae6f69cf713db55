"""A rebalance while a batch is being handled: every message has its effect, whoever handles it."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Message

import sagakit.consumer.membership
from devstack.stack import Stack
from tests.support.scratch import Group, Recorded, scratch_group
from tests.support.wait import eventually

PARTITIONS = 4
MESSAGES = 200


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, PARTITIONS) as group:
        yield group


def test_a_second_member_joins_while_the_first_is_busy(group: Group) -> None:
    first = Recorded(lambda numbers: time.sleep(0.05 * len(numbers)))
    second = Recorded(lambda numbers: time.sleep(0.02 * len(numbers)))
    group.send(range(MESSAGES))
    group.consume(first, batch_size=20)

    def busy() -> None:
        assert first.calls

    eventually(busy)
    group.consume(second, batch_size=20)

    def all_done() -> None:
        assert group.effects() == list(range(MESSAGES))

    eventually(all_done, 40)
    assert second.calls, "the second member got nothing to do"

    def all_committed() -> None:
        assert sum(group.committed()) == MESSAGES

    eventually(all_committed)


def test_a_member_that_leaves_in_mid_work_hands_its_partitions_over(group: Group) -> None:
    slow = Recorded(lambda _: time.sleep(0.2))
    members = [group.consume(slow, batch_size=10) for _ in range(2)]
    group.send(range(MESSAGES))

    def busy() -> None:
        assert len(slow.calls) >= 2

    eventually(busy)
    members[0].stop()
    group.send(range(MESSAGES, MESSAGES + 20))

    def all_done() -> None:
        assert group.effects() == list(range(MESSAGES + 20))

    eventually(all_done, 40)


def test_what_was_collected_of_a_revoked_partition_is_left_to_its_next_owner(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = Recorded(), Recorded()
    left: list[int] = []

    class Overtaken(KafkaConsumer):
        """Kafka's consumer, which a second member joins just when messages have been collected."""

        def consume(self, *arguments: Any, **options: Any) -> list[Message]:
            found = super().consume(*arguments, **options)
            if found and not left:
                group.consume(second, batch_size=MESSAGES)
                give_up = time.monotonic() + 30
                while len(owned := {one.partition for one in self.assignment()}) == PARTITIONS:
                    assert time.monotonic() < give_up, "the second member gets nothing"
                    late = self.poll(0.1)
                    found += [late] if late else []
                left.extend(int(one.key() or b"") for one in found if not one.error() and one.partition() not in owned)
            return found

    monkeypatch.setattr(sagakit.consumer.membership, "KafkaConsumer", Overtaken)
    numbers = range(0, MESSAGES * 128, 128)  # one in each partition, in turn
    group.send(numbers)
    group.consume(first, batch_size=10 * MESSAGES)

    def all_done() -> None:
        assert group.effects() == list(numbers)

    eventually(all_done, 40)
    assert left
    assert not {number for call in first.calls for number in call} & set(left)
