"""Dead letters on a real broker: they are read, replayed to their topics, and dropped; rounds are counted."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from devstack.stack import Stack
from sagakit.dead_letters.box import DeadLetterBox, groups_with_letters
from sagakit.dead_letters.letter import Letter
from sagakit.errors import NotFound, Poison, Refused, Repeated, Unavailable
from sagakit.messages import Encoded, Outgoing
from tests.support.kafka import create_topic, delete_topics, send, taped
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.wait import eventually

PARTITIONS = 3


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, PARTITIONS) as group:
        yield group


@pytest.fixture
def box(group: Group) -> Iterator[DeadLetterBox]:
    with DeadLetterBox({"bootstrap.servers": group.stack.bootstrap}, group.name) as box:
        yield box


class Judge:
    """A handler that fails on some numbers until it is mended."""

    def __init__(self, *bad: int) -> None:
        self.bad = set(bad)

    def __call__(self, numbers: list[int]) -> None:
        if self.bad.intersection(numbers):
            raise Poison("REUSED_ID", f"one of {sorted(self.bad)} was used before")


def parked(group: Group, box: DeadLetterBox, judge: Judge, numbers: list[int]) -> list[Letter]:
    """Send ``numbers``, and return the letters once all on which ``judge`` fails are parked."""
    group.send(numbers)
    group.consume(Recorded(judge))

    def all_parked() -> list[Letter]:
        letters = box.letters()
        assert len(letters) == len(judge.bad)
        return letters

    letters = eventually(all_parked, 30, every=0.3)
    eventually(lambda: has_effects(group, [number for number in numbers if number not in judge.bad]), 30)
    eventually(lambda: has_committed(group))
    return letters


def has_effects(group: Group, numbers: list[int]) -> None:
    assert group.effects() == numbers


def has_committed(group: Group) -> None:
    """See that the group has read its topic, as far as Kafka knows."""
    assert max(group.committed()) > 0


def test_a_letter_shows_where_it_came_from_and_why(group: Group, box: DeadLetterBox) -> None:
    (letter,) = parked(group, box, Judge(4), [4, 5])
    topic, partition, offset = letter.source
    assert topic == group.topic
    assert letter.name.startswith(f"{topic}-{partition}-{offset}@")
    assert (letter.source_key, letter.reason, letter.round) == (b"4", "REUSED_ID", 1)
    assert letter.error == "one of [4] was used before"
    assert {name for name, _ in letter.headers} == {"message-id", "message-type", "schema-fingerprint", "traceparent"}
    value = box.value(letter)
    assert value is not None
    assert letter.size == len(value)


def test_a_replay_arrives_as_it_was_sent_and_is_processed(stack: Stack, group: Group, box: DeadLetterBox) -> None:
    judge = Judge(4)
    (letter,) = parked(group, box, judge, [4, 5])
    value = box.value(letter)
    judge.bad.clear()
    with taped(stack.bootstrap, group.topic) as tape:
        replay = box.replay(letter)
        (message,) = tape.until(1)
    assert (message.partition(), message.offset()) == (letter.source[1], replay.offset)
    assert (message.key(), message.value()) == (b"4", value)
    assert message.headers() == [*letter.headers, ("dead-letter-round", b"1")]
    (outcome,) = box.outcomes([replay], 20)
    assert outcome.state == "processed"
    assert box.letters() == []
    assert group.effects() == [4, 5]


def test_what_fails_again_is_parked_again_with_the_next_round(group: Group, box: DeadLetterBox) -> None:
    (letter,) = parked(group, box, Judge(4), [4])
    for expected in (2, 3, 4):
        replay = box.replay(letter)
        (outcome,) = box.outcomes([replay], 20)
        assert (outcome.state, outcome.letter and outcome.letter.round) == ("parked", expected)
        (again,) = box.letters()
        assert again == outcome.letter
        assert (again.reason, again.headers, again.source_key) == ("REUSED_ID", letter.headers, letter.source_key)
        assert again.source[:2] == letter.source[:2]
        assert again.source == replay.place
        letter = again


def test_what_is_sent_again_and_again_is_one_letter_and_a_replay_of_it_the_next_round(
    group: Group, box: DeadLetterBox
) -> None:
    def judge(numbers: list[int]) -> None:
        if 4 in numbers:
            raise Repeated("REUSED_ID", "4 was used before")

    group.send([4, 4])
    group.consume(Recorded(judge))

    def both_parked() -> Letter:
        letters = box.letters()
        assert [letter.source[2] for letter in letters] == [1], "the last of the two"
        return letters[0]

    letter = eventually(both_parked, 30, every=0.3)
    eventually(lambda: has_committed(group))
    replay = box.replay(letter)
    (outcome,) = box.outcomes([replay], 20)
    assert outcome.state == "parked"
    assert outcome.letter is not None
    assert (outcome.letter.source, outcome.letter.round) == (replay.place, 2)
    assert box.letters() == [outcome.letter]
    group.send([4])

    def first_round_again() -> None:
        assert sorted(one.round for one in box.letters()) == [1, 2]

    eventually(first_round_again, 30, every=0.3)


def test_many_are_replayed_together_each_with_its_own_outcome(group: Group, box: DeadLetterBox) -> None:
    judge = Judge(1, 2, 3, 4, 5)
    letters = parked(group, box, judge, list(range(7)))
    judge.bad = {2, 5}
    outcomes = box.outcomes([box.replay(letter) for letter in letters], 20)
    states = {letter.source_key: outcome.state for letter, outcome in zip(letters, outcomes, strict=True)}
    assert states == {b"1": "processed", b"2": "parked", b"3": "processed", b"4": "processed", b"5": "parked"}
    assert group.effects() == [0, 1, 3, 4, 6]


def test_where_nobody_consumes_the_outcome_is_not_known_yet(group: Group, box: DeadLetterBox) -> None:
    (letter,) = parked(group, box, Judge(4), [4])
    group.stop()
    (outcome,) = box.outcomes([box.replay(letter)], 1)
    assert outcome.state == "pending"


def test_a_missing_value_and_missing_headers_and_keys_come_back_as_they_were(
    stack: Stack, group: Group, box: DeadLetterBox
) -> None:
    send(stack.bootstrap, group.topic, None, None, {"colour": None, "empty": b""})
    group.consume(store)

    def is_parked() -> Letter:
        letters = box.letters()
        assert len(letters) == 1
        return letters[0]

    letter = eventually(is_parked, 30, every=0.3)
    assert (letter.reason, letter.size, letter.source_key, box.value(letter)) == ("NULL_VALUE", -1, None, None)
    eventually(lambda: has_committed(group))
    with taped(stack.bootstrap, group.topic) as tape:
        box.replay(letter)
        (message,) = tape.until(1)
    assert (message.key(), message.value()) == (None, None)
    assert message.headers() == [("colour", None), ("empty", b""), ("dead-letter-round", b"1")]


def test_a_dropped_letter_is_gone_and_nothing_is_sent(stack: Stack, group: Group, box: DeadLetterBox) -> None:
    first, second = parked(group, box, Judge(4, 5), [4, 5])
    with taped(stack.bootstrap, group.topic) as tape:
        box.drop(first)
        assert box.letters() == [second]
        assert tape.until(0) == []


def test_what_a_stranger_put_there_can_be_dropped_but_not_replayed(group: Group, box: DeadLetterBox) -> None:
    group.publish([Encoded(f"{group.name}.dlq", b"\xffwhat", b"ever", ())])
    (letter,) = box.letters()
    assert (letter.name, letter.reason) == ("\\xffwhat", "")
    with pytest.raises(Refused, match="can only be dropped"):
        box.replay(letter)
    box.drop(letter)
    assert box.letters() == []


def test_a_topic_that_is_made_anew_puts_no_letter_in_the_place_of_another(stack: Stack) -> None:
    first, second = b"the first that nobody can decode", b"the first of the topic that was made anew"
    with scratch_group(stack) as group, DeadLetterBox({"bootstrap.servers": stack.bootstrap}, group.name) as box:

        def letters(count: int) -> list[Letter]:
            found = box.letters()
            assert len(found) == count
            return found

        def is_committed() -> None:
            assert group.committed() == [1]

        group.consume(Recorded(), stall_seconds=3)
        send(stack.bootstrap, group.topic, b"1", first)
        eventually(lambda: letters(1), 30, every=0.3)
        eventually(is_committed)  # else the commit would be taken for one of the new topic
        delete_topics(stack.bootstrap, group.topic)
        create_topic(stack.bootstrap, group.topic)
        send(stack.bootstrap, group.topic, b"1", second)
        both = eventually(lambda: letters(2), 60, every=0.5)
        assert [letter.source for letter in both] == [(group.topic, 0, 0)] * 2
        assert [box.value(letter) for letter in both] == [first, second]
        box.drop(both[0])
        assert letters(1) == both[1:]


def test_a_letter_of_an_earlier_version_is_read_replayed_and_dropped(group: Group, box: DeadLetterBox) -> None:
    message = group.codec.encode(Outgoing(group.ping(4)))
    added = (("dead-letter-reason", b"HANDLER_ERROR"), ("dead-letter-key", b"4"), ("dead-letter-round", b"1"))
    old = [f"{group.topic}-1-{offset}".encode() for offset in (5, 6)]
    group.publish([Encoded(f"{group.name}.dlq", key, message.value, (*message.headers, *added)) for key in old])
    letter, other = box.letters()
    assert (letter.key, letter.source, letter.reason) == (old[0], (group.topic, 1, 5), "HANDLER_ERROR")
    assert box.value(letter) == message.value
    group.consume(Recorded())
    group.send([3])
    eventually(lambda: has_committed(group))
    (outcome,) = box.outcomes([box.replay(letter)], 20)
    assert (outcome.state, group.effects()) == ("processed", [3, 4])
    box.drop(other)
    assert box.letters() == []


def test_a_letter_whose_topic_has_lost_its_partition_stays(group: Group, box: DeadLetterBox) -> None:
    letter = Encoded(f"{group.name}.dlq", f"{group.topic}-77-0".encode(), b"x", (("dead-letter-reason", b"X"),))
    group.publish([letter])
    (found,) = box.letters()
    group.consume(Recorded())
    group.send([4])
    eventually(lambda: has_committed(group))
    with pytest.raises(Refused, match="Kafka does not take it"):
        box.replay(found)
    assert box.letters() == [found]


def test_a_planted_letter_that_names_another_groups_topic_is_not_replayed_there(stack: Stack, group: Group) -> None:
    with scratch_group(stack) as other, DeadLetterBox({"bootstrap.servers": stack.bootstrap}, group.name) as box:
        other.consume(Recorded())
        other.send([1])
        eventually(lambda: has_committed(other))
        forged = other.codec.encode(Outgoing(other.ping(7)))
        added = (("dead-letter-reason", b"HANDLER_ERROR"), ("dead-letter-key", b"7"), ("dead-letter-round", b"1"))
        key = f"{other.topic}-0-0@0123456789ab".encode()
        group.publish([Encoded(f"{group.name}.dlq", key, forged.value, (*forged.headers, *added))])
        (planted,) = box.letters()
        with taped(stack.bootstrap, other.topic) as tape:
            with pytest.raises(
                Refused, match=f"{other.topic}, of which {group.name} has committed no offset"
            ) as caught:
                box.replay(planted)
            assert caught.value.reason == "FOREIGN_TOPIC"
            assert tape.until(0) == []
        assert box.letters() == [planted]
        box.drop(planted)
        assert box.letters() == []


def test_a_group_without_dead_letters_is_refused_with_the_reason(stack: Stack, group: Group) -> None:
    assert group.name in groups_with_letters({"bootstrap.servers": stack.bootstrap})
    with pytest.raises(NotFound):
        DeadLetterBox({"bootstrap.servers": stack.bootstrap}, "nobody")


def test_where_there_is_no_kafka_it_is_unavailable() -> None:
    client: dict[str, str | int | float | bool] = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    with ThreadPoolExecutor() as pool:  # each waits for its time-out
        listing = pool.submit(groups_with_letters, client)
        opening = pool.submit(DeadLetterBox, client, "any")
    for attempt in (listing, opening):
        with pytest.raises(Unavailable):
            attempt.result()
