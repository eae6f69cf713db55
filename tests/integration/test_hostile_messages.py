"""Messages of other programs with any headers, and with sizes that leave no room for an answer."""

import os
from collections.abc import Iterator, Sequence

import pytest

from devstack.stack import Stack
from sagakit.dead_letters.box import DeadLetterBox
from sagakit.errors import Refused
from sagakit.messages import Encoded, Message, Outgoing
from sagakit.postgres.pipeline import Transaction
from sagakit.records import Record
from tests.support.kafka import headers, send, taped
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.stranger import send_raw
from tests.support.wait import eventually

ANSWERED = 100
"""Added to a ping's number in what answers it."""


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack) as group:
        yield group


def has_effects(group: Group, numbers: Sequence[int]) -> None:
    def check() -> None:
        assert group.effects() == list(numbers)

    eventually(check, 30)


def value_of(group: Group, number: int) -> bytes:
    return group.codec.encode(Outgoing(group.ping(number))).value or b""


def answering(group: Group, messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
    """Store each message, and answer it unless it is an answer."""
    store(messages, tx)
    return [Outgoing(group.ping(m.record.key + ANSWERED), m) for m in messages if m.record.key < ANSWERED]


NAMES = [b"\xff\xfe", b"\xed\xa0\x80", b"colour\xff", b"\xc0\x80"]
TYPE = (b"message-type", b"scratch.Ping")


@pytest.mark.parametrize("behind", [False, True], ids=["before the type", "behind the type"])
def test_a_header_whose_name_is_no_text_has_its_message_parked(stack: Stack, group: Group, *, behind: bool) -> None:
    value = value_of(group, 7)
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        for name in NAMES:
            bad = (name, b"x")
            send_raw(stack.bootstrap, group.topic, b"7", value, [TYPE, bad] if behind else [bad, TYPE])
        send_raw(
            stack.bootstrap,
            group.topic,
            b"1",
            value_of(group, 1),
            [TYPE, (b"", b""), (b"a\0b", b"\xff\0"), (b"n", None)],
        )
        consumer = group.consume(store)
        letters = tape.until(len(NAMES))
    has_effects(group, [1])
    assert consumer.state == "running"
    assert [headers(letter)["dead-letter-reason"] for letter in letters] == [b"BAD_HEADERS"] * len(NAMES)
    assert [(letter.value(), headers(letter)["dead-letter-key"]) for letter in letters] == [(value, b"7")] * len(NAMES)


def test_such_a_header_in_the_dead_letter_topic_does_not_stop_who_reads_it(stack: Stack, group: Group) -> None:
    send_raw(stack.bootstrap, f"{group.name}.dlq", b"strange", b"value", [(b"\xff", b"x")])
    with DeadLetterBox({"bootstrap.servers": stack.bootstrap}, group.name) as box:
        assert [letter.name for letter in box.letters()] == ["strange"]


IDS: dict[str, tuple[bytes | None, bytes | None]] = {
    "as ours": (b"5c0ffee0-0000-4000-8000-000000000000", b"5c0ffee0-0000-4000-8000-000000000000"),
    "another's": (b"01HZX/order:7", b"01HZX/order:7"),
    "of a hundred": (b"x" * 100, b"x" * 100),
    "longer": (b"x" * 101, None),
    "huge": (b"x" * 400_000, None),
    "with a null byte": (b"x\0y", None),
    "not UTF-8": (b"\xff\xfe", None),
    "half a surrogate pair": (b"\xed\xa0\x80", None),
    "a line more": (b"id\n", None),
    "empty": (b"", None),
    "null": (None, None),
}


def test_an_id_or_trace_that_is_none_is_neither_stored_nor_passed_on(stack: Stack, group: Group) -> None:
    """The message itself is good, and answered; its answer names its place instead of its id."""
    ids: list[str] = []

    def handle(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        ids.extend(message.message_id for message in messages if message.record.key < ANSWERED)
        return answering(group, messages, tx)

    with taped(stack.bootstrap, group.topic) as tape:
        for number, (given, _) in enumerate(IDS.values()):
            head: dict[str, bytes | None] = {"message-type": b"scratch.Ping", "message-id": given, "traceparent": given}
            send(stack.bootstrap, group.topic, str(number).encode(), value_of(group, number), head)
        group.consume(handle)
        answers = tape.until(2 * len(IDS))[len(IDS) :]
    wanted = [kept or f"{group.topic}-0-{at}".encode() for at, (_, kept) in enumerate(IDS.values())]
    assert [one.encode() for one in ids] == wanted
    assert [headers(answer)["causation-id"] for answer in answers] == wanted
    assert {len(headers(answer)["traceparent"]) for answer in answers} == {55}


def test_a_message_whose_answer_is_too_large_is_parked_alone(stack: Stack) -> None:
    with scratch_group(stack, largest=190) as group, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        head = {"message-type": b"scratch.Ping"}  # its answer has more headers, for which there is no room
        for number in [1000, 7, 1001, 8, *range(1002, 1030)]:
            send(stack.bootstrap, group.topic, str(number).encode(), value_of(group, number), head)
        consumer = group.consume(lambda messages, tx: answering(group, messages, tx))
        letters = tape.until(2)
        # The effects of 7 and 8 are committed: a handler cannot know what its answer will be too large for.
        has_effects(group, [7, 8, *range(1000, 1030)])
        assert consumer.state == "running"

        def committed() -> None:
            assert group.committed() == [32]

        eventually(committed)
    found = [(headers(letter)["dead-letter-key"], headers(letter)["dead-letter-reason"]) for letter in letters]
    assert sorted(found) == [(b"7", b"UNPUBLISHABLE"), (b"8", b"UNPUBLISHABLE")]


def test_a_message_that_its_dead_letter_topic_does_not_hold_is_parked_without_its_content(stack: Stack) -> None:
    value, long = b"x" + os.urandom(500_000), os.urandom(100_000)
    head = (("colour", b"red"), ("long", long), ("message-type", b"scratch.Ping"))
    with scratch_group(stack, largest_letter=50_000) as group, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.publish([Encoded(group.topic, b"1", b"rubbish", ()), Encoded(group.topic, b"7", value, head)])
        group.send([1000])
        group.consume(Recorded())
        has_effects(group, [1000])
        letters = {headers(letter)["dead-letter-key"]: letter for letter in tape.until(2)}
        assert letters[b"1"].value() == b"rubbish"
        assert "dead-letter-omitted" not in headers(letters[b"1"])
        kept = headers(letters[b"7"])
        assert (letters[b"7"].value(), kept["dead-letter-omitted"], kept["colour"]) == (b"", b"500001", b"red")
        assert kept["dead-letter-reason"] == b"NOT_FRAMED"
        assert "long" not in kept
        with DeadLetterBox({"bootstrap.servers": stack.bootstrap}, group.name) as box:
            (letter,) = [one for one in box.letters() if one.omitted]
            with pytest.raises(Refused, match="without its value"):
                box.replay(letter)
