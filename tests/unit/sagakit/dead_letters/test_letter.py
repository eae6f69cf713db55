"""The key of a dead letter: always the same for one message, and always another for another, wherever they were."""

from typing import Any

import pytest
from confluent_kafka import Message

from sagakit.dead_letters.letter import dead_letter, read_letter
from sagakit.errors import Poison
from tests.support.lines import lines

AS_IT_IS: dict[str, Any] = {
    "topic": "orders",
    "partition": 3,
    "offset": 17,
    "key": b"1",
    "value": b"rubbish",
    "headers": [("message-id", b"a"), ("colour", None)],
    "timestamp": (1, 1_800_000_000_000),
}


def letter_of(**other: object) -> bytes:
    """Return the key of the letter of a message that differs from the usual one in ``other``."""
    message: Message[bytes, bytes] = Message(**{**AS_IT_IS, **other})
    return dead_letter("group", message, Poison("NOT_FRAMED", "rubbish")).key or b""


def read(key: bytes) -> tuple[str, int, int]:
    """Return the source in the letter with this key."""
    return read_letter(Message(topic="group.dlq", partition=0, offset=0, key=key, value=b"rubbish")).source


def test_a_message_that_is_parked_twice_has_one_key() -> None:
    assert letter_of() == letter_of()


@pytest.mark.parametrize(
    "other",
    [
        {"key": b"2"},
        {"key": None},
        {"value": b"other rubbish"},
        {"value": None},
        {"value": b""},
        {"headers": [("message-id", b"b"), ("colour", None)]},
        {"headers": [("message-id", b"a"), ("colour", b"")]},
        {"headers": None},
        {"timestamp": (1, 1_800_000_000_001)},
        {"key": b"1r", "value": b"ubbish"},
    ],
    ids=str,
)
def test_another_message_at_the_same_place_has_another(other: dict[str, object]) -> None:
    assert letter_of(**other) != letter_of()


def test_it_says_where_the_message_lay() -> None:
    assert letter_of().startswith(b"orders-3-17@")
    assert read(letter_of()) == ("orders", 3, 17)


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (b"orders-3-17", ("orders", 3, 17)),
        (b"orders-2-3-17", ("orders-2", 3, 17)),
        (b"orders-2-3-17@0123456789ab", ("orders-2", 3, 17)),
        (b"orders-2-3-17@012345678901", ("orders-2", 3, 17)),
        (b"orders", ("", -1, -1)),
        (b"orders-3-17@what", ("", -1, -1)),
        (b"orders-" + b"9" * 5000 + b"-17", ("", -1, -1)),
        (b"orders-3-" + b"9" * 5000, ("", -1, -1)),
        ("orders-\N{ARABIC-INDIC DIGIT THREE}-17".encode(), ("", -1, -1)),
        (b"two orders-3-17", ("", -1, -1)),
        (b"x" * 250 + b"-3-17", ("", -1, -1)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_letters_of_earlier_versions_say_so_too_and_those_of_strangers_nothing(
    key: bytes, place: tuple[str, int, int]
) -> None:
    assert read(key) == place


def test_the_line_of_a_parked_message_names_it_and_its_trace() -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    with lines() as said:
        letter_of(headers=[("message-id", b"a"), ("traceparent", f"00-{trace}-00f067aa0ba902b7-01".encode())])
        letter_of(headers=[("traceparent", b"\xff")])
    assert [(one["message_id"], one.get("trace_id")) for one in said] == [("a", trace), ("orders-3-17", None)]
