"""What the simulation takes Kafka and its client to do, shown of both: of the real ones, and of those in memory."""

import math
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import pytest
from confluent_kafka import OFFSET_BEGINNING, OFFSET_INVALID, Consumer, KafkaError, Message, Producer, TopicPartition

from sagakit.kafka.consumed import READING
from sagakit.offsets.stored_offsets import MARK
from sagakit.testing.world.broker import Broker
from sagakit.testing.world.clients import MemoryConsumer
from sagakit.testing.world.faults import Machine
from sagakit.testing.world.green import CLOCK, Green
from tests.support.kafka import create_topic, delete_topics
from tests.support.scratch import PREFIX

GROUP = "members"
_POLLS = 300


class Kafka(Protocol):
    """One of the two, with a topic of two partitions."""

    topic: str

    def consumer(self, properties: Mapping[str, Any]) -> Consumer: ...

    def write(self, number: int, count: int) -> None:
        """Write ``count`` messages to a partition."""

    def poll(self, consumer: Consumer) -> Message | None: ...


class Real:
    """The stack's broker, and librdkafka."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap, self.topic = bootstrap, topic

    def consumer(self, properties: Mapping[str, Any]) -> Consumer:
        group = f"{self.topic}-{properties['group.id']}"
        return Consumer({**properties, "bootstrap.servers": self._bootstrap, "group.id": group})

    def write(self, number: int, count: int) -> None:
        producer = Producer({"bootstrap.servers": self._bootstrap})
        for _ in range(count):
            producer.produce(self.topic, b"content", partition=number)
        assert producer.flush(15) == 0

    def poll(self, consumer: Consumer) -> Message | None:
        return consumer.poll(0.1)


class InMemory:
    """Those of the simulation."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self._broker, self._process = Broker({topic: 2}), Machine()
        self._process.allowance = math.inf

    def consumer(self, properties: Mapping[str, Any]) -> Any:
        return MemoryConsumer({**properties, "broker": self._broker, "process": self._process})

    def write(self, number: int, count: int) -> None:
        for _ in range(count):
            self._broker.append((self.topic, number), None, b"content", [])

    def poll(self, consumer: Consumer) -> Message | None:
        found: list[Message | None] = []
        thread = Green(self._process, lambda: found.append(consumer.poll(0.1)))
        while not thread.dead:
            if thread.runnable:
                thread.switch()
            else:
                CLOCK.now += 0.1
        return found[0]


class Member:
    """A consumer that notes all its callbacks; it reads its partitions from the group's offsets."""

    def __init__(self, kafka: Kafka) -> None:
        self.kafka = kafka
        self.callbacks: list[tuple[str, list[int]]] = []
        self.read: list[tuple[int, int]] = []
        """Partitions and offsets of messages."""
        self.ends: list[tuple[int, int]] = []
        self.answers: list[tuple[int, KafkaError | None]] = []
        properties = {
            **READING,
            "group.id": GROUP,
            "group.protocol": "consumer",
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "on_commit": self._answered,
            "stats_cb": lambda _: None,
        }
        self.client = kafka.consumer(properties)
        self.client.subscribe([kafka.topic], on_assign=self._given, on_revoke=self._revoked, on_lost=self._lost)

    def at(self, number: int, offset: int = OFFSET_INVALID, metadata: str = "") -> TopicPartition:
        return TopicPartition(self.kafka.topic, number, offset, metadata)

    def poll(self) -> None:
        message = self.kafka.poll(self.client)
        if message is None:
            return
        place = message.partition() or 0, message.offset() or 0
        error = message.error()
        assert error is None or error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name
        (self.read if error is None else self.ends).append(place)

    def _given(self, client: Any, partitions: list[TopicPartition]) -> None:
        self.callbacks.append(("given", sorted(one.partition for one in partitions)))
        found = client.committed(partitions, timeout=10)
        client.incremental_assign(
            [self.at(one.partition, one.offset if one.offset >= 0 else OFFSET_BEGINNING) for one in found]
        )

    def _revoked(self, client: Any, partitions: list[TopicPartition]) -> None:
        self.callbacks.append(("revoked", sorted(one.partition for one in partitions)))
        client.incremental_unassign(partitions)

    def _lost(self, client: Any, partitions: list[TopicPartition]) -> None:
        self.callbacks.append(("lost", sorted(one.partition for one in partitions)))
        client.incremental_unassign(partitions)

    def _answered(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        self.answers += [(one.partition, error) for one in partitions]


@pytest.fixture(params=["Kafka", "memory"])
def kafka(request: pytest.FixtureRequest) -> Iterator[Kafka]:
    topic = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    if request.param == "memory":
        yield InMemory(topic)
        return
    stack = request.getfixturevalue("stack")
    create_topic(stack.bootstrap, topic, 2)
    yield Real(stack.bootstrap, topic)
    delete_topics(stack.bootstrap, topic)


def until(holds: Callable[[], bool], *members: Member) -> None:
    """Have ``members`` poll until it ``holds``."""
    for _ in range(_POLLS):
        if holds():
            return
        for member in members:
            member.poll()
    assert holds(), [(one.callbacks, one.read, one.ends, one.answers) for one in members]


def test_what_a_member_reads(kafka: Kafka) -> None:
    """Its ends, once each; from where it is sought or assigned, or all of it; nothing of what is paused."""
    kafka.write(0, 3)
    one = Member(kafka)
    until(lambda: len(one.ends) == 2, one)
    assert one.callbacks == [("given", [0, 1])]
    assert one.read == [(0, 0), (0, 1), (0, 2)]
    assert sorted(one.ends) == [(0, 3), (1, 0)]

    one.client.seek(one.at(0, 1))
    until(lambda: len(one.ends) == 3, one)
    assert one.read[3:] == [(0, 1), (0, 2)]
    assert one.ends[2:] == [(0, 3)], "it is reached a second time"
    assert [found.offset for found in one.client.position([one.at(0), one.at(1)])] == [3, OFFSET_INVALID]

    one.client.pause([one.at(0)])
    kafka.write(0, 1)
    kafka.write(1, 1)
    until(lambda: (1, 1) in one.ends, one)
    assert one.read[5:] == [(1, 0)]
    one.client.resume([one.at(0)])
    until(lambda: (0, 4) in one.ends, one)
    assert one.read[6:] == [(0, 3)]

    one.client.incremental_unassign([one.at(0)])
    one.client.incremental_assign([one.at(0, 99)])
    until(lambda: len(one.read) == 11, one)
    assert one.read[7:] == [(0, 0), (0, 1), (0, 2), (0, 3)], "an offset that is not there is out of range"
    one.client.close()
    assert one.callbacks[1:] == [("revoked", [0, 1])]


def test_what_a_group_commits(kafka: Kafka) -> None:
    """It is reported later, kept with its metadata, and read on from by who comes next."""
    kafka.write(0, 3)
    one = Member(kafka)
    until(lambda: len(one.read) == 3, one)
    one.client.commit(offsets=[one.at(0, 2, MARK)])
    assert one.answers == []
    until(lambda: bool(one.answers), one)
    assert one.answers == [(0, None)]
    found = one.client.committed([one.at(0), one.at(1)], timeout=10)
    assert [(each.offset, each.metadata or "") for each in found] == [(2, MARK), (OFFSET_INVALID, "")]
    assert one.client.get_watermark_offsets(one.at(0), timeout=10) == (0, 3)
    one.client.close()
    other = Member(kafka)
    until(lambda: len(other.ends) == 2, other)
    assert other.read == [(0, 2)]
    other.client.close()


def test_what_members_hand_over(kafka: Kafka) -> None:
    """Each partition by itself: one is taken away first, and given only then."""
    one = Member(kafka)
    until(lambda: len(one.ends) == 2, one)
    other = Member(kafka)
    until(lambda: bool(other.callbacks) and len(one.callbacks) == 3, one, other)
    revoked, nothing = one.callbacks[1:]
    assert (revoked[0], len(revoked[1])) == ("revoked", 1)
    assert nothing == ("given", []), "what it keeps is not given anew"
    assert other.callbacks == [("given", revoked[1])]
    other.client.close()
    assert other.callbacks[1:] == [("revoked", revoked[1])]
    until(lambda: len(one.callbacks) == 4, one)
    assert one.callbacks[3] == ("given", revoked[1])
    one.client.close()
