"""A scratch group that consumes two topics, pings of the one and pongs of the other."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import ClassVar

from confluent_kafka import Producer as KafkaProducer

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handle
from sagakit.messages import Outgoing
from tests.support.kafka import create_topic, delete_topics
from tests.support.registry import registry_client
from tests.support.scratch import CONTENT, Group, Ping, ping_on, register, scratch_group

PONGS = 1_000_000
"""Numbers from here on are those of pongs."""


@dataclass(frozen=True)
class Pong(Ping):
    """Another record type, for the other topic."""

    FULL_NAME: ClassVar[str] = "scratch.Pong"
    SCHEMA: ClassVar[str] = CONTENT.replace("Ping", "Pong")


@dataclass
class TwoTopics:
    """The group, its other topic, and what consumes both."""

    group: Group
    other: str
    pong: type[Ping]
    cleanup: ExitStack

    def put(self, numbers: Sequence[int], partition: int = 0) -> None:
        """Publish a ping or a pong for each number to one partition of its topic."""
        producer = KafkaProducer({"bootstrap.servers": self.group.stack.bootstrap})
        for number in numbers:
            record = (self.group.ping if number < PONGS else self.pong)(number)
            message = self.group.codec.encode(Outgoing(record))
            producer.produce(message.topic, message.value, message.key, partition, headers=list(message.headers))
        assert producer.flush(20) == 0

    def consume(self, handle: Handle, *, batch_size: int = 100) -> Consumer:
        """Start a member of the group."""
        consumer = Consumer(
            {"bootstrap.servers": self.group.stack.bootstrap},
            self.group.name,
            [self.group.topic, self.other],
            handle,
            codec=self.group.codec,
            database=self.group.database,
            producer=self.group.producer,
            batch_size=batch_size,
            on_crash=self.group.crashes.append,
        )
        self.cleanup.callback(consumer.stop)
        consumer.start()
        return consumer


@contextmanager
def two_topics(stack: Stack, partitions: int) -> Iterator[TwoTopics]:
    """Make both topics, of so many ``partitions`` each, and their group."""
    with scratch_group(stack, partitions) as group, ExitStack() as cleanup:
        other = f"{group.topic}-other"
        create_topic(stack.bootstrap, other, partitions)
        cleanup.callback(delete_topics, stack.bootstrap, other)
        pong = ping_on(other, Pong)
        registry = cleanup.enter_context(registry_client(stack.registry_url))
        register(registry, pong)
        group.codec = Codec(registry, [group.ping, pong])
        group.codec.load()
        yield TwoTopics(group, other, pong, cleanup)
