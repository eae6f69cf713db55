"""The checker on what is written down: times run forward, and dead letters are true, with one for each message."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.chaos.checker import check
from tests.chaos.evidence import DeadLetter, Place, Record, Remade, WentBack
from tests.chaos.story import Story, good, start_of


def violations(story: Story) -> list[str]:
    return [str(violation) for violation in check(story.evidence)]


def order_changed_before_it_was(story: Story) -> None:
    order = story.rows.orders[1]
    story.rows.orders[1] = replace(order, update_time=order.create_time - 1)


def movement_changed_before_it_was(story: Story) -> None:
    movement = story.rows.movements[3]
    story.rows.movements[3] = replace(movement, update_time=movement.create_time - 1)


def delivery_changed_before_it_was(story: Story) -> None:
    delivery = story.rows.deliveries[1]
    story.rows.deliveries[1] = replace(delivery, update_time=delivery.create_time - 1)


def cancel_asked_before_the_order(story: Story) -> None:
    story.cancelled(4)
    order = story.rows.orders[4]
    story.rows.orders[4] = replace(order, cancel_time=order.create_time - 1)


def history_goes_back(story: Story) -> None:
    story.rows.events[1] = replace(story.rows.events[1], create_time=story.rows.events[0].create_time - 1)


def history_goes_on_behind_the_saga(story: Story) -> None:
    saga = story.rows.sagas[1]
    story.rows.sagas[1] = replace(saga, update_time=saga.create_time)


TIMES = [
    (order_changed_before_it_was, "the order of order 1 was changed 1 µs before it was made"),
    (movement_changed_before_it_was, "the movement of order 3 was changed 1 µs before it was made"),
    (delivery_changed_before_it_was, "the delivery of order 1 was changed 1 µs before it was made"),
    (cancel_asked_before_the_order, "the cancel of order 4 was not asked for between its first and last time"),
    (history_goes_back, "saga 1: STEP_DONE (version 2) has an earlier time than STARTED before it"),
    (history_goes_on_behind_the_saga, "saga 1 has a history that is not between its first and last time"),
]


@pytest.mark.parametrize(("spoil", "text"), TIMES, ids=[spoil.__name__ for spoil, _ in TIMES])
def test_a_time_that_runs_backwards_is_named(spoil: Callable[[Story], None], text: str) -> None:
    story = good()
    spoil(story)
    assert f"(17) {text}" in violations(story)


def forgery(story: Story, *, value: bytes | None = b"rubbish", offset: int = 0) -> Record:
    """A stranger's record that cannot be decoded."""
    place = Place("product-decreased", 5, offset)
    written = Record(place, b"1", value, {"message-id": f"p{offset}".encode(), "trace": b"x"})
    story.evidence.records.append(written)
    story.evidence.forged.add(written.message_id)
    return written


def parked() -> tuple[Story, DeadLetter]:
    """A good run in which a forgery was parked as it should be."""
    story = good()
    story.parked(forgery(story), "UNDECODABLE")
    return story, story.evidence.dead_letters[0]


@pytest.mark.parametrize("value", [b"rubbish", b"", None], ids=["rubbish", "empty", "null"])
def test_a_letter_that_copies_its_source_is_right(value: bytes | None) -> None:
    story = good()
    story.parked(forgery(story, value=value), "NULL_VALUE" if value is None else "UNDECODABLE")
    assert violations(story) == []


def test_a_letter_may_be_published_again_under_its_key() -> None:
    story, letter = parked()
    story.evidence.dead_letters.append(letter)
    assert violations(story) == []


def test_a_letter_without_the_value_says_how_long_that_was() -> None:
    story, letter = parked()
    omitted = replace(letter, value=b"", headers={**letter.headers, "dead-letter-omitted": b"7"})
    story.evidence.dead_letters[0] = omitted
    assert [text for text in violations(story) if text.startswith("(18)")] == []
    story.evidence.dead_letters[0] = replace(omitted, headers={**omitted.headers, "dead-letter-omitted": b"8"})
    assert "(18) orchestrator_svc's letter of product-decreased-5-0 is no copy of what lies there" in violations(story)


def without(letter: DeadLetter, name: str) -> DeadLetter:
    return replace(letter, headers={header: value for header, value in letter.headers.items() if header != name})


SPOILT: dict[str, tuple[Callable[[DeadLetter], DeadLetter], str]] = {
    "value": (lambda one: replace(one, value=b"rubbisH"), "is no copy of what lies there"),
    "header-lost": (lambda one: without(one, "trace"), "is no copy of what lies there"),
    "header-added": (
        lambda one: replace(one, headers={**one.headers, "more": b"1"}),
        "is no copy of what lies there",
    ),
    "source-key": (lambda one: without(one, "dead-letter-key"), "is no copy of what lies there"),
    "null-or-empty": (
        lambda one: replace(one, headers={**one.headers, "dead-letter-null-value": b"true"}),
        "is no copy of what lies there",
    ),
    "reason": (lambda one: replace(one, reason="TUESDAY"), "has the reason 'TUESDAY', which is not documented"),
    "error": (lambda one: without(one, "dead-letter-error"), "does not say its error"),
    "round": (lambda one: without(one, "dead-letter-round"), "does not say its round"),
    "no-fingerprint": (
        lambda one: replace(one, key=b"product-decreased-5-0"),
        "has the key 'product-decreased-5-0'",
    ),
    "another-place-in-the-key": (
        lambda one: replace(one, key=b"product-decreased-5-1@0123456789ab"),
        "has the key 'product-decreased-5-1@0123456789ab'",
    ),
}


@pytest.mark.parametrize(("spoil", "text"), SPOILT.values(), ids=list(SPOILT))
def test_a_letter_that_is_not_as_documented_is_named(spoil: Callable[[DeadLetter], DeadLetter], text: str) -> None:
    story, letter = parked()
    story.evidence.dead_letters[0] = spoil(letter)
    assert f"(18) orchestrator_svc's letter of product-decreased-5-0 {text}" in violations(story)


def lost_source(offset: int) -> Story:
    """A run with a letter that comes from ``offset`` of a partition that has records at 0 and 9."""
    story, letter = parked()
    story.parked(forgery(story, offset=9), "UNDECODABLE")
    key = f"product-decreased-5-{offset}@0123456789ab".encode()
    story.evidence.dead_letters.append(replace(letter, offset=offset, key=key))
    return story


def test_a_letter_of_a_place_where_nothing_lies_is_named_unless_its_topic_was_made_anew() -> None:
    story = lost_source(7)
    assert violations(story) == [
        "(18) orchestrator_svc's letter of product-decreased-5-7 names a place where nothing lies"
    ]
    story.evidence.remade.append(Remade(1.0, "product-decreased"))
    assert [text for text in violations(story) if text.startswith("(18)")] == []


def test_a_letter_of_what_was_written_after_the_topics_were_read_is_right() -> None:
    assert violations(lost_source(10)) == []


def test_two_letters_of_one_message_are_named() -> None:
    story, letter = parked()
    story.evidence.dead_letters.append(replace(letter, key=b"product-decreased-5-0@ba9876543210"))
    assert violations(story) == ["(18) product-decreased-5-0 was parked by orchestrator_svc under 2 keys"]


def reused_and_parked_by_its_place() -> Story:
    """A run in which the start of another order under a known id was parked twice: as a repeat, and by its place."""
    story = good()
    other = {**start_of(1, story.rows.orders[1].content), "create_time": 5}
    again = story.record("order-created", "OrderCreated", **other)
    story.evidence.forged.add(again.message_id)
    story.parked(again, "REUSED_ID")
    letter, place = story.evidence.dead_letters[0], again.place
    key = f"{place.topic}-{place.partition}-{place.offset}@0123456789ab".encode()
    story.evidence.dead_letters.append(replace(letter, key=key))
    return story


def test_what_contradicts_a_database_may_be_parked_in_two_ways_only_where_that_went_back() -> None:
    story = reused_and_parked_by_its_place()
    assert any("was parked by orchestrator_svc under 2 keys" in text for text in violations(story))
    story.evidence.went_back.append(WentBack("orchestrator_svc", 1.0, 2.0))
    assert violations(story) == []
