"""When offsets are stored in the database, when stored offsets are committed, and which are committed again."""

import time
from typing import cast

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from sagakit.offsets.handled import COMMIT_SECONDS, Offsets, WentBackError
from sagakit.offsets.stored_offsets import MARK

PLACE = ("product-decreased", 3)


@pytest.fixture
def offsets() -> Offsets:
    """Offsets 40 and 41 of one partition are handled, and the database has that."""
    found = Offsets()
    found.add([Message(topic=PLACE[0], partition=PLACE[1], offset=offset) for offset in (40, 41)])
    store(found)
    return found


def store(offsets: Offsets) -> None:
    """Have the database take what is handled."""
    offsets.stored(offsets.unstored())


class Client:
    """Remembers the offsets that it was to commit."""

    def __init__(self) -> None:
        self.commits: list[list[int]] = []

    def commit(self, offsets: list[TopicPartition]) -> None:
        assert {one.metadata for one in offsets} == {MARK}
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
        store(offsets)
        assert offsets.pending
        assert not offsets.due
    time.sleep(COMMIT_SECONDS)
    assert offsets.due
    offsets.commit(cast("Consumer", client), wait=False)
    assert client.commits == [[42], [44]]
    assert not offsets.pending


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
    """In a recreated topic of that name it would be ahead, and messages would be skipped."""
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
    store(offsets)
    offsets.commit(cast("Consumer", client), wait=False)
    return client.commits


def test_an_end_behind_what_was_handled_is_committed(offsets: Offsets) -> None:
    offsets.committed(None, answer(42))
    offsets.end([at(43)])  # a transaction's marker has the offset 42
    assert offsets.pending
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


def test_an_end_that_was_reported_before_a_batch_was_rewound_is_not_committed(offsets: Offsets) -> None:
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


def test_nothing_is_committed_that_the_database_does_not_have(offsets: Offsets) -> None:
    client = Client()
    offsets.add([at(42)])
    offsets.commit(cast("Consumer", client), wait=False)
    assert client.commits == [[42]]
    assert offsets.unstored() == {PLACE: 43}


def test_what_no_batch_takes_along_is_to_be_stored_soon(offsets: Offsets) -> None:
    assert not offsets.waits_for_store
    offsets.add([at(42)])
    assert not offsets.waits_for_store
    time.sleep(COMMIT_SECONDS * 1.1)
    assert offsets.waits_for_store
    store(offsets)
    assert not offsets.waits_for_store


def test_batches_that_follow_each_other_soon_are_stored_together(offsets: Offsets) -> None:
    offsets.add([at(42)])
    assert offsets.along() == {}, "others were stored just now"
    time.sleep(COMMIT_SECONDS * 1.1)
    offsets.add([at(43)])
    assert offsets.along() == {PLACE: 44}
    offsets.stored({})  # by a batch that stored no offsets
    assert offsets.along() == {PLACE: 44}


def test_what_was_handled_while_offsets_were_stored_waits_for_the_next_time(offsets: Offsets) -> None:
    stored = offsets.unstored()
    offsets.add([at(42)])
    offsets.stored(stored)
    assert offsets.unstored() == {PLACE: 43}


@pytest.mark.parametrize("stored", [{}, {PLACE: 41}], ids=["nothing", "less"])
def test_a_database_that_has_less_than_it_had_went_back(offsets: Offsets, stored: dict[tuple[str, int], int]) -> None:
    with pytest.raises(WentBackError, match="product-decreased-3"):
        offsets.must_be_in(stored, history=0)


@pytest.mark.parametrize("stored", [42, 50])
def test_a_database_that_has_as_much_or_more_did_not(offsets: Offsets, stored: int) -> None:
    offsets.must_be_in({PLACE: stored}, history=0)


def test_another_history_may_lack_what_was_handled_last(offsets: Offsets) -> None:
    """Its offset was not stored yet. Stored now, it would stand for an effect that may be missing."""
    offsets.must_be_in({PLACE: 42}, history=0)
    offsets.add([at(42)])
    for _ in range(2):
        with pytest.raises(WentBackError, match="another history"):
            offsets.must_be_in({PLACE: 42}, history=1)
    offsets.begin_anew([PLACE])
    offsets.must_be_in({PLACE: 42}, history=1)


def test_until_it_has_caught_up_nothing_is_committed() -> None:
    """The committed offset shows the other replicas that something is missing."""
    offsets = Offsets()
    offsets.begin(PLACE, 40, stored=40, once=44)
    assert offsets.catching_up
    offsets.add([at(40), at(41)])
    assert committed_by(offsets) == []
    assert offsets.missing == 2
    offsets.add([at(42), at(43)])
    assert committed_by(offsets) == [[44]]
    assert not offsets.catching_up
    assert offsets.missing == 0


def test_a_partition_that_the_database_does_not_know_is_stored_as_it_begins() -> None:
    offsets = Offsets()
    offsets.begin(PLACE, 40, stored=None, once=None)
    assert offsets.unstored() == {PLACE: 40}


def test_a_partition_that_was_never_read_is_not_caught_up() -> None:
    """It begins at OFFSET_BEGINNING, which is a negative number."""
    offsets = Offsets()
    offsets.begin(PLACE, OFFSET_BEGINNING, stored=None, once=None)
    assert (offsets.catching_up, offsets.missing) == (False, 0)


def test_what_was_handled_last_and_not_stored_is_caught_up_like_what_was(offsets: Offsets) -> None:
    """The broker does not show it, and yet messages about it may be read before it."""
    offsets.add([at(42), at(43)])
    offsets.begin_anew([PLACE])
    offsets.forget([PLACE])
    offsets.begin(PLACE, 42, stored=42, once=None)
    assert (offsets.catching_up, offsets.missing) == (True, 2)
    offsets.add([at(42), at(43)])
    store(offsets)
    assert not offsets.catching_up


def test_a_topic_that_was_made_anew_meanwhile_is_not_waited_for(offsets: Offsets) -> None:
    offsets.begin_anew([PLACE])
    offsets.forget([PLACE])
    offsets.begin(PLACE, 0, stored=None, once=None)
    assert offsets.catching_up
    offsets.end([at(5)])
    assert not offsets.catching_up


def test_an_end_from_before_a_partition_began_anew_is_not_stored(offsets: Offsets) -> None:
    offsets.end([at(150)])
    offsets.begin(PLACE, 42, stored=42, once=None)
    assert offsets.unstored() == {}
