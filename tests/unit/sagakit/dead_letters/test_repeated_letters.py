"""The keys of dead letters: repeats of a message share one letter, and a replay has another."""

import struct

from confluent_kafka import Message as KafkaMessage

from sagakit.dead_letters.letter import ROUND, dead_letter, read_letter
from sagakit.errors import Poison, Repeated
from sagakit.messages import Encoded

REUSED = Repeated("REUSED_ID", "this id was used before")
TYPE = "trips.BookHotel"


def consumed(
    content: bytes, offset: int, *, type_: str = TYPE, schema: int = 1, rounds: bytes | None = None
) -> KafkaMessage:
    headers: list[tuple[str, str | bytes | None]] = [("message-id", b"m%d" % offset), ("message-type", type_.encode())]
    if rounds:
        headers.append((ROUND, rounds))
    value = struct.pack(">bI", 0, schema) + content
    return KafkaMessage(topic="a-topic", partition=2, offset=offset, key=b"7", value=value, headers=headers)


def landed(letter: Encoded) -> KafkaMessage:
    topic, key, value, headers, *_ = letter
    given: list[tuple[str, bytes | str | None]] = [*headers]
    return KafkaMessage(topic=topic, partition=0, offset=0, key=key, value=value, headers=given)


def key_of(message: KafkaMessage, error: Exception = REUSED) -> bytes:
    return dead_letter("group", message, error).key


def test_a_message_that_is_sent_again_has_the_same_letter_wherever_it_lies() -> None:
    assert key_of(consumed(b"same", 1)) == key_of(consumed(b"same", 9))
    assert key_of(consumed(b"same", 1)) == key_of(consumed(b"same", 9, schema=5)), "the registry was built anew"


def test_other_content_another_type_and_another_round_have_letters_of_their_own() -> None:
    others = [
        consumed(b"same", 1),
        consumed(b"other", 1),
        consumed(b"same", 1, type_="trips.CancelHotel"),
        consumed(b"same", 1, rounds=b"1"),
        consumed(b"same", 1, rounds=b"2"),
    ]
    assert len({key_of(message) for message in others}) == len(others)


def test_its_letter_says_where_the_last_of_them_lies() -> None:
    letter = read_letter(landed(dead_letter("group", consumed(b"same", 9), REUSED)))
    assert letter.source == ("a-topic", 2, 9)
    assert letter.name.startswith("a-topic-repeated-")
    assert (letter.reason, letter.round) == ("REUSED_ID", 1)


def test_any_other_poison_is_a_letter_for_each_place() -> None:
    poison = Poison("UNKNOWN_TRIP", "there is no trip 7")
    assert key_of(consumed(b"same", 1), poison) != key_of(consumed(b"same", 9), poison)
