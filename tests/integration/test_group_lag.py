"""Group lag: a group is up to date once everything is handled that was there a moment ago."""

import threading
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.offsets.group_lag import GroupLag
from tests.support.scratch import Group, Recorded, scratch_group
from tests.support.wait import eventually


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, partitions=2) as group:
        yield group


@pytest.fixture
def lag(stack: Stack, group: Group) -> GroupLag:
    return GroupLag({"bootstrap.servers": stack.bootstrap}, group.name, [group.topic])


def test_the_first_look_says_nothing(lag: GroupLag) -> None:
    assert not lag.is_handled()
    assert lag.is_handled()


def test_what_was_there_at_the_last_look_has_to_be_handled_first(group: Group, lag: GroupLag) -> None:
    group.send(range(20))
    assert not lag.is_handled()
    assert not lag.is_handled()
    go_on = threading.Event()

    def hold(_: list[int]) -> None:
        go_on.wait(30)

    group.consume(Recorded(hold))
    assert not lag.is_handled()
    go_on.set()

    def handled() -> None:
        assert lag.is_handled()

    eventually(handled)
    assert group.effects() == list(range(20))


def test_what_comes_all_the_time_does_not_count_as_lag_while_it_is_handled(group: Group, lag: GroupLag) -> None:
    group.consume(Recorded())
    group.send(range(10))

    def committed() -> None:
        assert sum(max(0, offset) for offset in group.committed()) == 10

    eventually(committed)
    lag.is_handled()
    group.send(range(10, 12))
    assert lag.is_handled(), "what came after the last look does not matter"


def test_an_offset_of_a_topic_that_is_no_more_says_nothing_of_the_one_made_anew(group: Group, lag: GroupLag) -> None:
    """A commit names its topic, so a late one is taken for the new topic of that name."""
    group.send(range(20))
    late = Consumer({"bootstrap.servers": group.stack.bootstrap, "group.id": group.name})
    late.commit(offsets=[TopicPartition(group.topic, number, 1000) for number in range(2)], asynchronous=False)
    late.close()
    assert not lag.is_handled()
    assert not lag.is_handled(), "nothing was handled"


def test_brokers_that_do_not_answer_say_so() -> None:
    with pytest.raises(Unavailable, match="cannot be asked"):
        GroupLag({"bootstrap.servers": "127.0.0.1:1"}, "nobody", ["nothing"]).is_handled()
