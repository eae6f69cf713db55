"""A consumer that is stalled joins its group anew; one that is only busy does not."""

import time

from devstack.stack import Stack
from sagakit.runtime import metrics
from tests.support.kafka import create_topic, delete_topics
from tests.support.scratch import Recorded, scratch_group
from tests.support.wait import eventually

PARTITIONS = 3


def rejoins() -> float:
    """Return how often consumers of this process have joined anew."""
    (family,) = metrics.REJOINED.collect()
    return family.samples[0].value


def test_a_topic_that_is_deleted_and_made_anew_is_read_again(stack: Stack) -> None:
    with scratch_group(stack, PARTITIONS) as group:
        group.consume(Recorded(), stall_seconds=2)
        group.send(range(100))

        def first_are_done() -> None:
            assert group.effects() == list(range(100))

        eventually(first_are_done, 30)
        delete_topics(stack.bootstrap, group.topic)
        create_topic(stack.bootstrap, group.topic, PARTITIONS)
        group.send(range(200, 230))

        def all_are_done() -> None:
            assert group.effects() == [*range(100), *range(200, 230)]

        eventually(all_are_done, 60)


def test_a_consumer_that_lags_behind_stays_in_its_group(stack: Stack) -> None:
    before = rejoins()
    with scratch_group(stack, PARTITIONS) as group:
        group.send(range(60))
        slow = Recorded(lambda numbers: time.sleep(0.05 * len(numbers)))
        group.consume(slow, batch_size=4, stall_seconds=0.2)

        def all_are_done() -> None:
            assert group.effects() == list(range(60))

        eventually(all_are_done, 60)
        assert sorted(number for call in slow.calls for number in call) == list(range(60)), "none was read twice"
    assert rejoins() == before
