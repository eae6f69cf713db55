"""Bad input for the kit itself, on a real broker: it is parked as it came, and what comes after it is handled."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from devstack.stack import Stack
from sagakit.errors import Poison
from sagakit.messages import Encoded, Outgoing
from sagakit.runtime import metrics
from tests.support.kafka import headers, parked_from, send, taped
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.wait import eventually

TWO_MEGABYTES = 2_000_000
GOOD = range(1000, 1003)
"""Numbers that are sent behind the bad ones, and must have their effect."""


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, largest=3_000_000) as group:
        yield group


def has_effects(group: Group, numbers: list[int]) -> None:
    def check() -> None:
        assert group.effects() == numbers

    eventually(check, 30)


def counted(group: Group) -> dict[str, int]:
    """Return how many messages of the group's topic were counted as parked, by reason."""
    (family,) = metrics.DEAD_LETTERS.collect()
    return {
        sample.labels["reason"]: int(sample.value)
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["topic"] == group.topic
    }


def has_committed(group: Group, offset: int) -> None:
    def check() -> None:
        assert group.committed() == [offset]

    eventually(check, 30)


@dataclass(frozen=True)
class Bad:
    """A message as a stranger sends it."""

    key: bytes | None
    value: bytes | None
    headers: dict[str, bytes | None]


def ping(group: Group, number: int) -> Encoded:
    return group.codec.encode(Outgoing(group.ping(number)))


def like(group: Group, **changes: object) -> Bad:
    """A good message, but for ``changes``."""
    good = ping(group, 7)
    given = {"key": good.key, "value": good.value, "headers": dict(good.headers), **changes}
    return Bad(**given)  # type: ignore[arg-type] # by name


def without_type(group: Group, **more: bytes | None) -> dict[str, bytes | None]:
    return {**{name: value for name, value in ping(group, 7).headers if name != "message-type"}, **more}


CASES: dict[str, tuple[str, Callable[[Group], Bad]]] = {
    "no type": ("NO_MESSAGE_TYPE", lambda g: like(g, headers=without_type(g))),
    "no headers": ("NO_MESSAGE_TYPE", lambda g: like(g, headers={})),
    "null type": ("NO_MESSAGE_TYPE", lambda g: like(g, headers={**without_type(g), "message-type": None})),
    "null header": ("NO_MESSAGE_TYPE", lambda g: like(g, headers=without_type(g, colour=None))),
    "null value": ("NULL_VALUE", lambda g: like(g, value=None)),
    "key is no number": ("BAD_KEY", lambda g: like(g, key=b"seven")),
    "key is not text": ("BAD_KEY", lambda g: like(g, key=b"\xff\x00")),
    "no key": ("BAD_KEY", lambda g: like(g, key=None)),
    "100 headers": ("NO_MESSAGE_TYPE", lambda g: like(g, headers={f"header-{n}": b"x" * n for n in range(100)})),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_parked_as_it_came_and_a_later_message_is_handled(stack: Stack, group: Group, name: str) -> None:
    reason, make = CASES[name]
    bad = make(group)
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        send(stack.bootstrap, group.topic, bad.key, bad.value, bad.headers)
        group.send(GOOD)
        group.consume(store)
        (letter,) = tape.until(1)
    has_effects(group, list(GOOD))
    head = dict(letter.headers() or [])
    assert head["dead-letter-reason"] == reason.encode()
    assert head["dead-letter-round"] == b"1"
    assert {name: value for name, value in head.items() if not name.startswith("dead-letter-")} == bad.headers
    assert (letter.value(), head.get("dead-letter-key")) == (bad.value or b"", bad.key)
    assert ("dead-letter-null-value" in head) == (bad.value is None)
    assert counted(group) == {reason: 1}
    has_committed(group, 1 + len(GOOD))


def test_a_hundred_headers_do_no_harm_to_a_good_message(stack: Stack, group: Group) -> None:
    good = ping(group, 7)
    many: dict[str, bytes | None] = {**dict(good.headers), **{f"header-{n}": None for n in range(100)}}
    send(stack.bootstrap, group.topic, good.key, good.value, many)
    group.consume(store)
    has_effects(group, [7])


@pytest.mark.parametrize("value", [b"x" * 30_000_000, b"x" + os.urandom(TWO_MEGABYTES)], ids=["compressed", "2-MB"])
def test_a_huge_message_is_parked_whole_and_does_not_stop_the_group(stack: Stack, group: Group, value: bytes) -> None:
    group.send([1])
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.publish([Encoded(group.topic, b"7", value, (("message-type", b"scratch.Ping"),))])
        group.send(GOOD)
        group.consume(store)
        (letter,) = tape.until(1)
    has_effects(group, [1, *GOOD])
    assert headers(letter)["dead-letter-reason"] == b"NOT_FRAMED"
    assert letter.value() == value
    assert counted(group) == {"NOT_FRAMED": 1}
    has_committed(group, 2 + len(GOOD))


def test_a_batch_that_is_all_rubbish_is_parked_and_a_later_message_handled(stack: Stack, group: Group) -> None:
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.publish([Encoded(group.topic, b"7", b"rubbish", ()) for _ in range(25)])
        consumer = group.consume(store)
        letters = tape.until(25)
    assert {parked_from(letter) for letter in letters} == {f"{group.topic}-0-{n}" for n in range(25)}
    group.send(GOOD)
    has_effects(group, list(GOOD))
    assert counted(group) == {"NO_MESSAGE_TYPE": 25}
    has_committed(group, 25 + len(GOOD))
    assert consumer.state == "running"


def test_a_batch_of_verdicts_on_the_data_is_parked_and_does_not_halt_the_service(stack: Stack, group: Group) -> None:
    def judge(numbers: list[int]) -> None:
        if any(number < 25 for number in numbers):
            raise Poison("REUSED_ID", "this id was used before for something else")

    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.send(range(25))
        consumer = group.consume(Recorded(judge))
        letters = tape.until(25)
    assert {headers(letter)["dead-letter-reason"] for letter in letters} == {b"REUSED_ID"}
    group.send(GOOD)
    has_effects(group, list(GOOD))
    assert counted(group) == {"REUSED_ID": 25}
    has_committed(group, 25 + len(GOOD))
    assert consumer.state == "running"


def test_a_verdict_among_unforeseen_errors_does_not_hide_a_bad_deploy(stack: Stack, group: Group) -> None:
    def fail(numbers: list[int]) -> None:
        if numbers == [3]:
            raise Poison("REUSED_ID", "this id was used before for something else")
        raise ValueError(numbers)

    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.send(range(12))
        consumer = group.consume(Recorded(fail))

        def halted() -> None:
            assert consumer.state == "halted"

        eventually(halted, 30)
        (letter,) = tape.until(1)
    assert parked_from(letter) == f"{group.topic}-0-3"
    assert group.effects() == []
    assert counted(group) == {"REUSED_ID": 1}
    assert group.committed()[0] <= 0, "what was not handled must come again"
