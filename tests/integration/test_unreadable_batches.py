"""Batches that Kafka's client cannot read are noted and passed over; what lies before and behind them is handled."""

from collections.abc import Iterator, Sequence

import pytest
from confluent_kafka import Message

from devstack.stack import Stack
from sagakit.dead_letters.box import DeadLetterBox
from sagakit.errors import Refused
from sagakit.messages import Outgoing
from sagakit.offsets import rereading
from tests.support.bombs import CAREFUL, LARGEST_READ, send_bomb
from tests.support.kafka import ends, headers, send, taped
from tests.support.scratch import Group, scratch_group, store
from tests.support.wait import eventually

BOMB = 2 * LARGEST_READ
PARTITIONS = 2


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, PARTITIONS) as group:
        yield group


@pytest.fixture
def client(stack: Stack) -> dict[str, str | int | float | bool]:
    return {"bootstrap.servers": stack.bootstrap, **CAREFUL}


def put(group: Group, numbers: Sequence[int]) -> None:
    """Publish pings to partition 0, where the bombs lie."""
    for number in numbers:
        message = group.codec.encode(Outgoing(group.ping(number)))
        send(group.stack.bootstrap, group.topic, message.key, message.value, dict(message.headers), partition=0)


def handles(group: Group, numbers: Sequence[int], until: int) -> None:
    """See that ``numbers`` had their effect, and that the group has read all of partition 0."""

    def check() -> None:
        assert group.effects() == list(numbers)
        assert group.committed()[0] == until

    eventually(check, 40)


def said(letter: Message) -> tuple[bytes, str]:
    head = headers(letter)
    return head["dead-letter-reason"], head["dead-letter-error"].decode().partition(" cannot be read")[0]


def test_one_is_parked_without_content_and_what_lies_around_it_is_handled(
    stack: Stack, group: Group, client: dict[str, str | int | float | bool]
) -> None:
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        put(group, [1])
        send_bomb(stack.bootstrap, group.topic, BOMB)
        put(group, [2])
        consumer = group.consume(store, client=client)
        handles(group, [1, 2], 3)
        (letter,) = tape.until(1)
    assert said(letter) == (b"UNREADABLE", "the offsets 1 to 1")
    assert letter.value() == b""
    assert consumer.state == "running"
    with DeadLetterBox(client, group.name) as box:
        (found,) = box.letters()
        assert found.source == (group.topic, 0, 1)
        with pytest.raises(Refused, match="without its value"):
            box.replay(found)
        box.drop(found)


def test_a_batch_of_many_messages_is_passed_over_to_its_very_end(
    stack: Stack, group: Group, client: dict[str, str | int | float | bool]
) -> None:
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        put(group, [1])
        send_bomb(stack.bootstrap, group.topic, BOMB, messages=100)
        put(group, [2])
        group.consume(store, client=client)
        handles(group, [1, 2], 102)
        (letter,) = tape.until(1)
    assert said(letter) == (b"UNREADABLE", "the offsets 1 to 100")


def test_many_in_a_row_are_one_letter_and_other_partitions_go_on_meanwhile(
    stack: Stack, group: Group, client: dict[str, str | int | float | bool]
) -> None:
    for _ in range(10):
        send_bomb(stack.bootstrap, group.topic, BOMB)
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.consume(store, client=client)
        group.send(range(0, 3000, 100))
        (letter,) = tape.until(1)
        eventually(lambda: has_all(group, range(0, 3000, 100)), 30)
    assert said(letter) == (b"UNREADABLE", "the offsets 0 to 9")


def has_all(group: Group, numbers: Sequence[int]) -> None:
    assert group.effects() == list(numbers)


def test_what_every_client_of_ours_reads_by_default_has_a_bound(stack: Stack, group: Group) -> None:
    send_bomb(stack.bootstrap, group.topic, 150_000_000)
    put(group, [1])
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.consume(store)
        handles(group, [1], 2)
        (letter,) = tape.until(1)
    assert said(letter) == (b"UNREADABLE", "the offsets 0 to 0")


def test_whoever_rereads_the_topic_passes_over_it(
    stack: Stack, group: Group, client: dict[str, str | int | float | bool]
) -> None:
    put(group, [1])
    send_bomb(stack.bootstrap, group.topic, BOMB, messages=5)
    put(group, [2])
    send_bomb(stack.bootstrap, group.topic, BOMB)
    (end, _) = ends(stack.bootstrap, group.topic, PARTITIONS)
    partition = (group.topic, 0)
    found = [message.key() for message in rereading.between(client, {partition: 0}, {partition: end})]
    assert found == [b"1", b"2"]


def test_one_in_the_dead_letter_topic_hides_no_other_letter(
    stack: Stack, group: Group, client: dict[str, str | int | float | bool]
) -> None:
    send(stack.bootstrap, f"{group.name}.dlq", b"first", b"x")
    send_bomb(stack.bootstrap, f"{group.name}.dlq", BOMB)
    send(stack.bootstrap, f"{group.name}.dlq", b"second", b"x")
    with DeadLetterBox(client, group.name) as box:
        assert [letter.name for letter in box.letters()] == ["first", "second"]
