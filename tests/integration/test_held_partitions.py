"""What lies in one partition and cannot be handled yet holds up that partition, and no other one."""

import struct
from collections.abc import Callable, Iterator

import pytest

from chassis.codec import Codec
from chassis.messages import Encoded, Outgoing
from devstack.stack import Stack
from tests.support.kafka import headers, taped
from tests.support.registry import by_a_stranger
from tests.support.renumbered import renumbered
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.wait import eventually

PARTITIONS = 3
GOOD = list(range(1, 201))
UNKNOWN = 987_654


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, PARTITIONS) as group:
        yield group


def of_an_unknown_schema(group: Group) -> Encoded:
    message = group.codec.encode(Outgoing(group.ping(0)))
    return by_a_stranger(message._replace(value=struct.pack(">bI", 0, UNKNOWN) + (message.value or b"")[5:]))


def effects(group: Group, enough: Callable[[list[int]], bool]) -> None:
    def check() -> None:
        assert enough(group.effects())

    eventually(check, 30)


def test_a_message_of_an_unknown_schema_waits_for_the_registry_and_other_partitions_do_not(
    stack: Stack, group: Group
) -> None:
    with renumbered(stack.registry_url) as registry, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.codec = Codec(registry.client(), [group.ping])
        group.codec.load()
        registry.says = b""
        group.publish([of_an_unknown_schema(group)])
        consumer = group.consume(store)
        group.send(GOOD)
        effects(group, lambda found: len(found) > len(GOOD) / 2)
        group.send([1000 + number for number in GOOD])
        effects(group, lambda found: len(found) > len(GOOD))
        assert consumer.state == "running"
        assert tape.until(0) == []
        registry.says = None
        (letter,) = tape.until(1)
        assert headers(letter)["dead-letter-reason"] == b"UNKNOWN_SCHEMA"
        effects(group, lambda found: len(found) == 2 * len(GOOD))


def test_a_message_that_meets_a_bug_holds_up_what_lies_behind_it_and_nothing_is_lost_when_it_is_parked(
    stack: Stack, group: Group
) -> None:
    def fail(numbers: list[int]) -> None:
        if 0 in numbers:
            raise ValueError("a bug")

    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        consumer = group.consume(Recorded(fail), batch_size=20)
        group.send([0])
        group.send(GOOD)
        (letter,) = tape.until(1)
        assert headers(letter)["dead-letter-reason"] == b"HANDLER_ERROR"
        effects(group, lambda found: found == GOOD)

        def committed() -> None:
            assert sum(group.committed()) == len(GOOD) + 1

        eventually(committed, 30)
        assert len(tape.until(1)) == 1
    assert consumer.state == "running"


def test_partitions_that_stand_still_are_handed_over_with_what_waits_in_them(stack: Stack, group: Group) -> None:
    with renumbered(stack.registry_url) as registry, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.codec = Codec(registry.client(), [group.ping])
        group.codec.load()
        registry.says = b""
        group.publish([of_an_unknown_schema(group)])
        first = group.consume(store)
        group.send(GOOD)
        effects(group, lambda found: len(found) > len(GOOD) / 2)
        second = group.consume(store)
        first.stop()
        registry.says = None
        assert [headers(letter)["dead-letter-reason"] for letter in tape.until(1)] == [b"UNKNOWN_SCHEMA"]
        effects(group, lambda found: found == GOOD)
    assert second.state == "running"
