"""When offsets are committed, and which are committed again."""

import time
from typing import cast

import pytest
from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from chassis.offsets import COMMIT_SECONDS, Offsets

PLACE = ("product-decreased", 3)


@pytest.fixture
def offsets() -> Offsets:
    """Offsets 40 and 41 of one partition are handled."""
    found = Offsets()
    found.add([Message(topic=PLACE[0], partition=PLACE[1], offset=offset) for offset in (40, 41)])
    return found


class Client:
    """Remembers what it was to commit."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []

    def commit(self, offsets: list[TopicPartition]) -> None:
        self.commits.append([one.offset for one in offsets])


def answer(offset: int) -> list[TopicPartition]:
    return [TopicPartition(*PLACE, offset)]


def test_what_is_handled_is_to_be_committed(offsets: Offsets) -> None:
    assert offsets.due


def test_batches_that_follow_each_other_soon_are_committed_together(offsets: Offsets) -> None:
    client = Client()
    offsets.commit(cast("Consumer", client), wait=False)
    for offset in (42, 43):
        offsets.add([Message(topic=PLACE[0], partition=PLACE[1], offset=offset)])
        assert offsets.unsent
        assert not offsets.due
    time.sleep(COMMIT_SECONDS)
    assert offsets.due
    offsets.commit(cast("Consumer", client), wait=False)
    assert client.commits == [[42], [44]]
    assert not offsets.unsent


def test_what_is_committed_is_not_sent_again(offsets: Offsets) -> None:
    offsets.committed(None, answer(42))
    assert not offsets.due


def test_the_answer_to_an_earlier_commit_says_nothing_of_what_came_after(offsets: Offsets) -> None:
    offsets.committed(None, answer(41))
    assert offsets.due


@pytest.mark.parametrize("name", ["STALE_MEMBER_EPOCH", "NOT_COORDINATOR", "_TIMED_OUT", "GROUP_AUTHORIZATION_FAILED"])
def test_what_was_refused_for_now_is_sent_again(offsets: Offsets, name: str) -> None:
    offsets.committed(KafkaError(getattr(KafkaError, name)), answer(42))
    assert offsets.due


def test_what_was_refused_because_the_topic_is_gone_is_not_sent_again(offsets: Offsets) -> None:
    """It would be ahead of a topic of that name that is made anew, whose messages would then be skipped."""
    offsets.committed(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART), answer(42))
    assert not offsets.due


def test_what_another_member_has_now_is_left_to_it(offsets: Offsets) -> None:
    offsets.forget([PLACE])
    assert not offsets.due


def at(offset: int, number: int = PLACE[1]) -> Message:
    """Return a message, or the event of an end, at an offset."""
    return Message(topic=PLACE[0], partition=number, offset=offset)


def committed_by(offsets: Offsets) -> list[list[int]]:
    client = Client()
    offsets.commit(cast("Consumer", client), wait=False)
    return client.commits


def test_an_end_behind_what_was_handled_is_committed(offsets: Offsets) -> None:
    offsets.committed(None, answer(42))
    offsets.end([at(43)])  # the marker of a transaction lies at 42
    assert offsets.unsent
    assert committed_by(offsets) == [[43]]
    assert offsets.reached(PLACE) == 43


@pytest.mark.parametrize("end", [42, 41, 0])
def test_an_end_at_what_was_handled_is_no_news(offsets: Offsets, end: int) -> None:
    offsets.committed(None, answer(42))
    offsets.end([at(end)])
    assert not offsets.due
    assert offsets.reached(PLACE) == 42


def test_an_end_where_nothing_was_handled_yet_is_committed() -> None:
    offsets = Offsets()
    offsets.end([at(1)])
    assert committed_by(offsets) == [[1]]


def test_an_end_that_was_told_of_before_a_batch_was_rewound_is_not_committed(offsets: Offsets) -> None:
    offsets.committed(None, answer(42))
    offsets.rewound([PLACE])
    offsets.end([at(60), at(7, number=4)])
    assert committed_by(offsets) == [[7]], "only the other partition's"
    offsets.add([at(42)])
    offsets.end([at(60)])
    assert committed_by(offsets)[0][-1] == 60


def test_an_end_is_forgotten_with_its_partition(offsets: Offsets) -> None:
    offsets.end([at(60)])
    offsets.forget([PLACE])
    assert offsets.reached(PLACE) == -1
    offsets.end([at(50)])
    assert committed_by(offsets) == [[50]]
