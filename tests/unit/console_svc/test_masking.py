"""Postal addresses are hidden wherever a value is shown, unless that was allowed."""

import json

from console_svc.masking import Masking

HIDING, SHOWING = Masking(shown=False), Masking(shown=True)
RECORD = {
    "order_id": 7,
    "address": "Main Street 1",
    "more": [{"Address": "Side Street 2"}, {"address": ""}],
    "delivery_address": {"street": "Third Street 3"},
    "addresses": ["Fourth Street 4"],
}


def test_an_address_is_hidden_unless_it_may_be_shown() -> None:
    assert SHOWING.address("Main Street 1") == "Main Street 1"
    assert "Main" not in HIDING.address("Main Street 1")
    assert HIDING.address("") == "none"


def test_addresses_in_a_record_are_hidden_wherever_they_stand_and_nothing_else_is() -> None:
    assert json.loads(SHOWING.record(RECORD)) == RECORD
    hidden = json.loads(HIDING.record(RECORD))
    assert "Street" not in HIDING.record(RECORD)
    assert hidden["order_id"] == 7
    assert hidden["more"][1] == {"address": ""}


def test_bytes_that_nobody_could_decode_may_hold_an_address_too() -> None:
    text = b"Main Street 1".hex()
    assert text in SHOWING.undecoded(text)
    assert text not in HIDING.undecoded(text)
    assert HIDING.undecoded(text).startswith("13 bytes")
