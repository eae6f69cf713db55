"""What lies in one partition and cannot be handled yet holds up that partition, and no other one."""

import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.consumer.consumer import Consumer
from sagakit.errors import Poison
from sagakit.messages import Encoded, Outgoing
from tests.support.kafka import headers, taped
from tests.support.registry import by_a_stranger
from tests.support.renumbered import Renumbered, renumbered
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.two_topics import PONGS, TwoTopics, two_topics
from tests.support.wait import eventually

PARTITIONS = 3
GOOD = list(range(1, 201))
UNKNOWN = 987_654


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack, PARTITIONS) as group:
        yield group


@contextmanager
def registry_away(group: Group) -> Iterator[Renumbered]:
    """Let the group know its own schema, and have a registry that gives no answers until ``says`` is None."""
    with renumbered(group.stack.registry_url) as registry:
        group.codec = Codec(registry.client(), [group.ping])
        group.codec.load()
        registry.says = b""
        yield registry


def of_an_unknown_schema(group: Group, number: int = 0) -> Encoded:
    message = group.codec.encode(Outgoing(group.ping(number)))
    return by_a_stranger(message._replace(value=struct.pack(">bI", 0, UNKNOWN) + (message.value or b"")[5:]))


def effects(group: Group, enough: Callable[[list[int]], bool]) -> None:
    def check() -> None:
        assert enough(group.effects())

    eventually(check, 30)


def must_be(consumer: Consumer, state: str) -> None:
    assert consumer.state == state


def test_a_message_of_an_unknown_schema_waits_for_the_registry_and_other_partitions_do_not(
    stack: Stack, group: Group
) -> None:
    with registry_away(group) as registry, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
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
    with registry_away(group) as registry, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
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


def test_partitions_that_stand_still_come_back_from_another_member_and_go_on(stack: Stack, group: Group) -> None:
    with registry_away(group) as registry, taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.consume(store)
        several = range(PARTITIONS * 4)  # some in each partition
        group.publish([of_an_unknown_schema(group, number) for number in several])
        other = group.consume(store)
        eventually(lambda: must_be(other, "running"), 30)
        time.sleep(3)  # until it has got its share
        other.stop()
        registry.says = None
        group.send(GOOD)
        effects(group, lambda found: found == GOOD)
        assert {headers(letter)["dead-letter-reason"] for letter in tape.until(len(several))} == {b"UNKNOWN_SCHEMA"}


BAD = 1000
"""Pings below this number fail."""


def a_bug_meets_some(numbers: list[int]) -> None:
    if min(numbers) < BAD:
        raise ValueError("a bug")


@pytest.fixture
def two(stack: Stack) -> Iterator[TwoTopics]:
    with two_topics(stack, 2) as two:
        yield two


def test_while_one_message_is_held_back_the_lag_of_another_topic_is_worked_off(two: TwoTopics) -> None:
    handle = Recorded(a_bug_meets_some)
    consumer = two.consume(handle, batch_size=20)
    two.put([0])

    def is_held() -> None:
        assert handle.calls.count([0]) >= 6

    eventually(is_held, 30)
    two.put(range(PONGS, PONGS + 2000))
    effects(two.group, lambda found: len(found) == 2000)
    assert consumer.state == "running"
    assert max(two.group.committed()) < 1


@pytest.mark.parametrize("bad", [15, 20, 60])
def test_a_batch_and_more_of_bad_messages_in_one_partition_do_not_keep_the_others_waiting(
    two: TwoTopics, bad: int
) -> None:
    two.put(range(bad))
    consumer = two.consume(Recorded(a_bug_meets_some), batch_size=20)

    eventually(lambda: must_be(consumer, "halted"), 30)
    with taped(two.group.stack.bootstrap, f"{two.group.name}.dlq") as tape:
        two.put(pongs := list(range(PONGS, PONGS + 30)))
        effects(two.group, lambda found: found == pongs)
        with flowing(two, BAD, partition=1):  # each of them shows that what fails meanwhile is to blame itself
            assert len(tape.until(bad)) == bad
    eventually(lambda: must_be(consumer, "running"), 30)


@contextmanager
def flowing(two: TwoTopics, number: int, partition: int = 0) -> Iterator[None]:
    """Publish one message after another meanwhile, beginning with ``number``."""
    stop = threading.Event()

    def flow() -> None:
        for place in count(number):
            two.put([place], partition)
            if stop.wait(0.05):
                break

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def test_a_halt_ends_where_what_failed_is_gone_though_another_topic_goes_on(stack: Stack, two: TwoTopics) -> None:
    two.put(range(12))
    consumer = two.consume(Recorded(a_bug_meets_some))
    with flowing(two, PONGS):
        eventually(lambda: must_be(consumer, "halted"), 30)
        admin = AdminClient({"bootstrap.servers": stack.bootstrap})
        (done,) = admin.delete_records([TopicPartition(two.group.topic, 0, 12)]).values()
        done.result(10)
        eventually(lambda: must_be(consumer, "running"), 60)


def test_a_bug_that_begins_in_the_middle_of_a_batch_has_nothing_parked_for_it(stack: Stack, two: TwoTopics) -> None:
    began, mended = threading.Event(), threading.Event()

    def fail(numbers: list[int]) -> None:
        if 0 in numbers:
            raise Poison("REUSED_ID", "not the same")
        if began.is_set() and not mended.is_set():
            raise ValueError("a bug")
        began.set()  # the first success, then the fault

    with taped(stack.bootstrap, f"{two.group.name}.dlq") as tape:
        two.put(range(40))
        consumer = two.consume(Recorded(fail))
        eventually(lambda: must_be(consumer, "halted"), 30)
        mended.set()
        effects(two.group, lambda found: found == list(range(1, 40)))
        assert [headers(letter)["dead-letter-reason"] for letter in tape.until(1)] == [b"REUSED_ID"]
