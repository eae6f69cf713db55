"""Kafka, read and written raw, without the project's own code."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from tests.support import trust
from tests.support.wait import eventually


class Tape:
    """Everything that is written to some topics from the moment the tape is made."""

    def __init__(self, bootstrap: str, topics: Sequence[str]) -> None:
        self._consumer = Consumer(
            {
                **trust.kafka(bootstrap),
                "group.id": "never-joined",
                "enable.auto.commit": False,
                "enable.partition.eof": False,
                "allow.auto.create.topics": False,
            }
        )
        self.messages: list[Message] = []
        self._consumer.assign([self._end(topic, number) for topic in topics for number in self._numbers(topic)])

    def _numbers(self, topic: str) -> list[int]:
        return sorted(self._consumer.list_topics(topic, timeout=10).topics[topic].partitions)

    def _end(self, topic: str, number: int) -> TopicPartition:
        _, end = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10)
        return TopicPartition(topic, number, end)

    def until(self, count: int, key: bytes | None = None, timeout: float = 20.0) -> list[Message]:
        """Read on until there are ``count`` messages (with ``key``), and a little longer for what is too many."""
        give_up = time.monotonic() + timeout
        while len(self._found(key)) < count and time.monotonic() < give_up:
            self._take(0.2)
        self._take(0.2)
        found = self._found(key)
        assert len(found) >= count, f"{len(found)} messages after {timeout} s, not {count}"
        return found

    def _take(self, seconds: float) -> None:
        message = self._consumer.poll(seconds)
        while message is not None:
            error = message.error()
            if error is not None and error.fatal():
                raise KafkaException(error)
            if error is None:
                self.messages.append(message)
            message = self._consumer.poll(0.05)

    def _found(self, key: bytes | None) -> list[Message]:
        return [message for message in self.messages if key is None or message.key() == key]

    def close(self) -> None:
        self._consumer.close()


@contextmanager
def taped(bootstrap: str, *topics: str) -> Iterator[Tape]:
    """Tape what is written to ``topics`` meanwhile."""
    tape = Tape(bootstrap, topics)
    try:
        yield tape
    finally:
        tape.close()


def headers(message: Message) -> dict[str, bytes]:
    """Return a message's headers as a dictionary."""
    given = message.headers() or []
    pairs = list(given.items()) if isinstance(given, dict) else given
    return {name: value.encode() if isinstance(value, str) else value or b"" for name, value in pairs}


def parked_from(letter: Message) -> str:
    """Return the place that a dead letter came from, which its key begins with: ``<topic>-<partition>-<offset>``."""
    place, _, fingerprint = (letter.key() or b"").decode().partition("@")
    assert fingerprint, "two messages at one place would have one letter"
    return place


def send(  # noqa: PLR0913 - a message has so many parts
    bootstrap: str,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    head: Mapping[str, bytes | None] | None = None,
    *,
    partition: int = -1,
) -> None:
    """Write one message, to a partition by its key where none is given, and see that Kafka has it."""
    failures: list[object] = []
    producer = Producer({**trust.kafka(bootstrap), "partitioner": "murmur2_random"})
    producer.produce(
        topic,
        key=key,
        value=value,
        partition=partition,
        headers=list((head or {}).items()),
        on_delivery=lambda error, _: failures.append(error) if error else None,
    )
    assert producer.flush(15) == 0
    assert not failures


def create_topic(bootstrap: str, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
    """Make a topic and wait until every partition has a leader that knows it as empty.

    A partition that is still being made anew may acknowledge what it then loses.
    """
    admin = AdminClient(trust.kafka(bootstrap))
    admin.create_topics([NewTopic(name, partitions, 1, config=config or {})])[name].result(15)

    def led() -> None:
        found = admin.list_topics(name, timeout=10).topics[name].partitions
        assert len(found) == partitions
        assert all(partition.leader >= 0 for partition in found.values())

    def empty() -> None:
        latest = OffsetSpec.latest()  # type: ignore[no-untyped-call] # it comes in part without types
        ends = admin.list_offsets({TopicPartition(name, number): latest for number in range(partitions)})
        assert [end.exception() for end in ends.values()] == [None] * partitions
        assert {end.result().offset for end in ends.values()} == {0}

    eventually(led)
    eventually(empty)


def delete_topics(bootstrap: str, *names: str) -> None:
    """Remove topics, and wait until the broker has: what is sent to one made anew might still go to the old one."""
    admin = AdminClient(trust.kafka(bootstrap))  # it has to live until its futures are done
    for future in admin.delete_topics(list(names)).values():
        future.result(15)

    def gone() -> None:
        assert not admin.list_topics(timeout=10).topics.keys() & set(names)

    eventually(gone)


def empty_topic(bootstrap: str, name: str, partitions: int = 1) -> None:
    """Delete all messages of a topic."""
    until = [TopicPartition(name, number, end) for number, end in enumerate(ends(bootstrap, name, partitions))]
    admin = AdminClient(trust.kafka(bootstrap))  # it has to live until its futures are done
    for future in admin.delete_records(until).values():
        future.result(15)


def committed(bootstrap: str, group: str, topic: str, partitions: int = 1) -> list[int]:
    """Return a group's committed offsets by partition; negative where it has none."""
    consumer = Consumer({**trust.kafka(bootstrap), "group.id": group})
    try:
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        return [found.offset for found in consumer.committed(asked, timeout=10)]
    finally:
        consumer.close()


def ends(bootstrap: str, topic: str, partitions: int) -> list[int]:
    """Return where each partition of a topic ends."""
    consumer = Consumer({**trust.kafka(bootstrap), "group.id": "never-joined"})
    try:
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        return [consumer.get_watermark_offsets(one, timeout=10)[1] for one in asked]
    finally:
        consumer.close()
