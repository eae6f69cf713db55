"""The batch consumer on a real broker and database: whatever fails, every message has its effect, none is skipped."""

import math
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException

import sagakit.consumer.membership
from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Message, Outgoing
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.sql import array
from sagakit.records import Record
from tests.support.kafka import parked_from, taped
from tests.support.scratch import Group, Recorded, scratch_group, store
from tests.support.series import Since, value
from tests.support.wait import eventually


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack) as group:
        yield group


def has_effects(group: Group, numbers: Sequence[int], timeout: float = 20) -> None:
    def check() -> None:
        assert group.effects() == list(numbers)

    eventually(check, timeout)


def has_committed(group: Group, offsets: Sequence[int]) -> None:
    def check() -> None:
        assert group.committed() == list(offsets)

    eventually(check, 30)


def failing_times(times: int, error: Exception) -> Recorded:
    left = [error] * times

    def fail(_: list[int]) -> None:
        if left:
            raise left.pop()

    return Recorded(fail)


def test_what_is_there_is_handled_in_batches_and_committed(group: Group) -> None:
    group.send(range(50))
    handle = Recorded()
    group.consume(handle, batch_size=20)
    has_effects(group, range(50))
    has_committed(group, [50])
    assert sum(handle.calls, []) == list(range(50))  # noqa: RUF017 - three short lists
    assert max(map(len, handle.calls)) <= 20


@pytest.mark.parametrize(
    "error",
    [psycopg.OperationalError("the connection is lost"), Unavailable("a version conflict")],
    ids=["database", "conflict"],
)
def test_a_passing_failure_rewinds_the_batch_and_skips_nothing(group: Group, error: Exception) -> None:
    group.send(range(30))
    handle = failing_times(2, error)
    group.consume(handle, batch_size=10)
    has_effects(group, range(30))
    has_committed(group, [30])
    assert handle.calls[0][0] == handle.calls[1][0] == handle.calls[2][0] == 0


def test_while_a_batch_fails_nothing_of_it_is_committed(group: Group) -> None:
    group.send(range(10))
    mended = threading.Event()

    def fail(_: list[int]) -> None:
        if not mended.is_set():
            raise Unavailable("not yet")

    handle = Recorded(fail)
    group.consume(handle)

    def tried_again() -> None:
        assert len(handle.calls) >= 3

    eventually(tried_again)
    assert group.effects() == []
    assert max(group.committed()) < 1
    mended.set()
    has_effects(group, range(10))
    has_committed(group, [10])


@pytest.mark.parametrize("error", [Unavailable("not yet"), ValueError("a bad deploy")], ids=["rewound", "halted"])
def test_while_a_batch_fails_what_was_handled_before_is_committed(group: Group, error: Exception) -> None:
    group.send(range(30))

    def fail(numbers: list[int]) -> None:
        if numbers[0] >= 20:
            raise error

    group.consume(Recorded(fail), batch_size=10)
    has_effects(group, range(20))
    has_committed(group, [20])


class FailingOnce(Producer):
    """Publishes, but says at first that Kafka did not take it."""

    def __init__(self, bootstrap: str) -> None:
        super().__init__({"bootstrap.servers": bootstrap}, lambda _: None)
        self.calls = 0

    def deliver(self, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        self.calls += 1
        if self.calls == 1:
            raise Unavailable("Kafka did not take every message")
        super().deliver(messages, seconds)


def test_a_failed_publish_rewinds_and_the_repeat_answers_the_same(group: Group) -> None:
    group.send(range(5))
    producer = FailingOnce(group.stack.bootstrap)
    handle = Recorded()
    group.consume(handle, producer=producer)
    has_committed(group, [5])
    assert handle.calls[0] == handle.calls[1]
    assert group.effects() == list(range(5))
    group.stop()
    producer.close(5)


def test_an_answer_is_on_its_topic_before_the_offset_is_committed(stack: Stack, group: Group) -> None:
    def answer(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        store(messages, tx)
        return [Outgoing(group.ping(m.record.key + 100), m) for m in messages if m.record.key < 100]

    with taped(stack.bootstrap, group.topic) as tape:
        group.send(range(3))
        group.consume(answer)
        has_effects(group, [0, 1, 2, 100, 101, 102])
        assert [message.key() for message in tape.until(6)] == [b"0", b"1", b"2", b"100", b"101", b"102"]
    has_committed(group, [6])


def test_what_cannot_be_committed_is_not_answered(stack: Stack, group: Group) -> None:
    """A reply before the commit could report what was never stored, so nothing is published before it."""
    with group.database.transaction() as tx:
        tx.execute("CREATE TABLE taken (number bigint UNIQUE DEFERRABLE INITIALLY DEFERRED)")
        tx.execute("INSERT INTO taken VALUES (7)")

    def answer(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        numbers = {"numbers": array(m.record.key for m in messages)}
        tx.execute("INSERT INTO taken SELECT unnest(%(numbers)s::bigint[])", numbers).fetchall()
        return [Outgoing(group.ping(m.record.key + 100), m) for m in messages if m.record.key < 100]

    with taped(stack.bootstrap, group.topic) as tape, taped(stack.bootstrap, f"{group.name}.dlq") as letters:
        group.send([7, 8])
        group.consume(answer)
        assert [parked_from(letter) for letter in letters.until(1)] == [f"{group.topic}-0-0"]
        assert [message.key() for message in tape.until(3)] == [b"7", b"8", b"108"]


def test_a_poison_message_is_isolated_and_the_rest_has_its_effect(stack: Stack, group: Group) -> None:
    def fail(numbers: list[int]) -> None:
        if 13 in numbers:
            msg = "thirteen brings bad luck"
            raise ValueError(msg)

    handle = Recorded(fail)
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.send(range(40))
        group.consume(handle)
        has_effects(group, [number for number in range(40) if number != 13])
        (letter,) = tape.until(1)
    has_committed(group, [40])
    assert parked_from(letter) == f"{group.topic}-0-13"
    head = dict(letter.headers() or [])
    assert (head["dead-letter-reason"], head["dead-letter-key"]) == (b"HANDLER_ERROR", b"13")
    assert b"thirteen brings bad luck" in (head["dead-letter-error"] or b"")
    assert [call for call in handle.calls if call == [13]] == [
        [13]
    ] * 4  # alone twice, and again beside others that are handled


def test_a_parked_message_keeps_its_bytes_and_headers(stack: Stack, group: Group) -> None:
    rubbish = Encoded(group.topic, b"\xff\xfe", b"\0rubbish\xff", (("colour", b"\xffred"),))
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        group.publish([rubbish])
        group.send([1])
        group.consume(store)
        (letter,) = tape.until(1)
    has_effects(group, [1])
    assert letter.value() == b"\0rubbish\xff"
    head = dict(letter.headers() or [])
    assert (head["colour"], head["dead-letter-key"]) == (b"\xffred", b"\xff\xfe")
    assert head["dead-letter-offset"] == b"0"


def test_a_member_that_is_stopped_leaves_nothing_undone_or_done_twice(group: Group) -> None:
    group.send(range(30))
    first = Recorded()
    consumer = group.consume(first, batch_size=5)

    def begun() -> None:
        assert first.calls

    eventually(begun)
    consumer.stop()
    assert consumer.state == "ended"
    second = Recorded()
    group.consume(second, batch_size=5)
    has_effects(group, range(30))
    assert sorted(number for call in first.calls + second.calls for number in call) == list(range(30))


def test_an_offset_that_the_broker_did_not_take_is_committed_again_though_nothing_more_comes(
    group: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[object] = []

    class Refused(KafkaConsumer):
        """Kafka's consumer in a rebalance, when its first commit is refused."""

        def commit(self, *arguments: Any, **options: Any) -> Any:
            if not refused:
                refused.append(options)
                raise KafkaException(KafkaError(KafkaError.STALE_MEMBER_EPOCH))
            return super().commit(*arguments, **options)

    monkeypatch.setattr(sagakit.consumer.membership, "KafkaConsumer", Refused)
    group.send(range(10))
    group.consume(Recorded())
    has_effects(group, range(10))
    has_committed(group, [10])
    assert refused


def test_the_lag_is_what_is_not_handled_yet(group: Group) -> None:
    group.send(range(30))
    mended = threading.Event()

    def fail(_: list[int]) -> None:
        if not mended.is_set():
            raise Unavailable("not yet")

    def lag_is(messages: int) -> None:
        assert value("sagakit_consumer_lag_messages", topic=group.topic) == messages

    group.consume(Recorded(fail), batch_size=10)
    eventually(lambda: lag_is(30))
    group.send(range(30, 35))
    eventually(lambda: lag_is(35))
    mended.set()
    eventually(lambda: lag_is(0))


def test_each_commit_of_a_batch_is_measured_once(group: Group) -> None:
    since = Since()
    group.send(range(30))
    handle = Recorded()
    group.consume(handle, batch_size=10)
    has_effects(group, range(30))
    has_committed(group, [30])
    assert since("sagakit_batch_commit_seconds_count") == len(handle.calls)
