"""Which offsets are committed again, and which are not."""

import pytest
from confluent_kafka import KafkaError, Message, TopicPartition

from chassis.offsets import Offsets

PLACE = ("product-decreased", 3)


@pytest.fixture
def offsets() -> Offsets:
    """Offsets 40 and 41 of one partition are handled."""
    found = Offsets()
    found.add([Message(topic=PLACE[0], partition=PLACE[1], offset=offset) for offset in (40, 41)])
    return found


def answer(offset: int) -> list[TopicPartition]:
    return [TopicPartition(*PLACE, offset)]


def test_what_is_handled_is_to_be_committed(offsets: Offsets) -> None:
    assert offsets.overdue


def test_what_is_committed_is_not_sent_again(offsets: Offsets) -> None:
    offsets.committed(None, answer(42))
    assert not offsets.overdue


def test_the_answer_to_an_earlier_commit_says_nothing_of_what_came_after(offsets: Offsets) -> None:
    offsets.committed(None, answer(41))
    assert offsets.overdue


def test_what_was_refused_in_a_rebalance_is_sent_again(offsets: Offsets) -> None:
    offsets.committed(KafkaError(KafkaError.STALE_MEMBER_EPOCH), answer(42))
    assert offsets.overdue


def test_what_was_refused_because_the_topic_is_gone_is_not_sent_again(offsets: Offsets) -> None:
    """It would be ahead of a topic of that name that is made anew, whose messages would then be skipped."""
    offsets.committed(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), answer(42))
    assert not offsets.overdue


def test_what_another_member_has_now_is_left_to_it(offsets: Offsets) -> None:
    offsets.forget([PLACE])
    assert not offsets.overdue
