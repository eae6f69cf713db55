"""BatchReader: what is there is taken at once, and after a crowd what is about to come as well."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from sagakit.consumer.batch_reader import BatchReader


@dataclass(frozen=True)
class One:
    """Stands in for a message."""

    number: int
    ends: bool = False

    def error(self) -> str | None:
        """Return an error where it is not a message, but the event that a partition ends."""
        return "partition end" if self.ends else None


class Topic:
    """Stands in for a consumer: what is there, and what comes while somebody waits for it."""

    def __init__(self) -> None:
        self.there: deque[One] = deque()
        self.coming: deque[One] = deque()
        self.waited = 0

    def fill(self, there: Iterable[int], coming: Iterable[int] = ()) -> None:
        self.there.extend(map(One, there))
        self.coming.extend(map(One, coming))

    def end(self) -> None:
        self.there.append(One(0, ends=True))

    def sleep(self, seconds: float) -> None:
        assert seconds <= 0.005
        self.waited += 1
        self.there.extend(self.coming)
        self.coming.clear()

    def poll(self, timeout: float) -> One | None:
        assert timeout > 0
        return self.there.popleft() if self.there else None

    def consume(self, num_messages: int, timeout: float) -> list[One]:
        assert num_messages > 0
        assert timeout == 0
        return [self.there.popleft() for _ in range(min(num_messages, len(self.there)))]


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Topic:
    topic = Topic()
    monkeypatch.setattr("sagakit.consumer.batch_reader.time.sleep", topic.sleep)
    return topic


def take(batches: BatchReader, topic: Topic) -> list[Any]:
    found: list[Any] = list(batches.take(cast("Any", topic), 0.1))
    return ["end" if one.ends else one.number for one in found]


def test_what_is_there_is_one_batch_of_no_more_than_the_most(topic: Topic) -> None:
    some = BatchReader(3)
    topic.fill(range(5))
    assert [take(some, topic) for _ in range(3)] == [[0, 1, 2], [3, 4], []]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_few_messages_are_not_held_up(topic: Topic, size: int) -> None:
    some = BatchReader(100)
    for _ in range(3):
        topic.fill(range(size))
        assert take(some, topic) == list(range(size))
    assert topic.waited == 0


def test_after_a_crowd_the_rest_of_what_was_published_together_comes_along(topic: Topic) -> None:
    some = BatchReader(100)
    topic.fill(range(10))
    assert take(some, topic) == list(range(10))
    topic.fill([1], coming=[2, 3, 4, 5])
    assert take(some, topic) == [1, 2, 3, 4, 5]


def test_a_full_batch_waits_for_nothing(topic: Topic) -> None:
    some = BatchReader(10)
    topic.fill(range(30))
    assert [len(take(some, topic)) for _ in range(3)] == [10, 10, 10]
    assert topic.waited == 0


def test_one_by_one_nothing_is_held_up(topic: Topic) -> None:
    some = BatchReader(1)
    topic.fill(range(30))
    assert [take(some, topic) for _ in range(30)] == [[number] for number in range(30)]
    assert topic.waited == 0


def test_the_crowd_is_over_once_a_message_comes_alone(topic: Topic) -> None:
    some = BatchReader(100)
    topic.fill(range(10))
    take(some, topic)
    for message in (1, 2):
        topic.fill([message])
        assert take(some, topic) == [message]
    assert topic.waited == 1


def test_the_end_of_a_partition_is_no_message_and_ends_no_crowd(topic: Topic) -> None:
    some = BatchReader(100)
    topic.fill(range(10))
    take(some, topic)
    for _ in range(5):
        topic.end()
    assert take(some, topic) == ["end"] * 5
    assert topic.waited == 0
    topic.fill([1], coming=[2])
    assert take(some, topic) == [1, 2]
