"""A rebalance while a batch is being handled: every message has its effect, whoever handles it."""

import time
from collections.abc import Iterator

import pytest

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
