"""Lengths of time, and values that may be anything."""

import pytest

from ordersaga_cli.show import clean, span
from sagakit.avro.shown_values import Decoder, printable


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 1 s"),
        (3_599, "59 min 59 s"),
        (7_260, "2 h 1 min"),
        (90_000, "1 d 1 h"),
        (-61, "1 min 1 s"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_what_could_move_the_terminal_is_written_out() -> None:
    assert clean("a\x1b[31mb\tc\u202e é") == "a\\x1b[31mb\\tc\\u202e é"


@pytest.mark.parametrize(
    ("content", "shown"), [(b"17", "17"), (b"\xff\x00", "0xff00"), (b"a\n", "0x610a"), (b"", ""), (None, None)]
)
def test_bytes_are_shown_as_text_where_they_are_text(content: bytes | None, shown: str | None) -> None:
    assert printable(content) == shown


def test_a_value_that_cannot_be_decoded_is_shown_in_hexadecimal_with_the_reason() -> None:
    found = Decoder(None).decode(b"rubbish")
    assert (found["value"], found["value_hex"]) == (None, b"rubbish".hex())
    assert found["schema"] == "not decoded: the value does not begin with a zero byte and a schema id"


def test_without_a_registry_a_framed_value_is_shown_in_hexadecimal() -> None:
    found = Decoder(None).decode(b"\0\0\0\0\1\2")
    assert (found["value_hex"], found["schema"]) == ("000000000102", "not decoded: no address of the schema registry")


def test_no_value_is_no_value() -> None:
    assert Decoder(None).decode(None) == {"schema": "", "value": None, "value_hex": ""}
