"""A scratch consumer group of its own: topic, dead letters, database and record type, for tests of the kit."""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import subject_of
from sagakit.consumer.consumer import Consumer
from sagakit.consumer.dispatch import Handle
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Message, Outgoing
from sagakit.offsets.tables import CREATE_CONSUMED_OFFSETS
from sagakit.postgres.database import Database
from sagakit.postgres.migrations import migrate
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.settings import DatabaseSettings
from sagakit.records import Record
from tests.support.kafka import committed, create_topic, delete_topics
from tests.support.registry import registry_client

PREFIX = "scratch-"
"""Every topic and subject of these tests begins so."""
CONTENT = '{"type":"record","name":"Ping","namespace":"scratch","fields":[{"name":"number","type":"long"}]}'


@dataclass(frozen=True)
class Ping:
    """A record with a number, which is also its key."""

    TOPIC: ClassVar[str]
    FULL_NAME: ClassVar[str] = "scratch.Ping"
    SCHEMA: ClassVar[str] = CONTENT

    number: int

    @property
    def key(self) -> int:
        return self.number

    def to_avro(self) -> dict[str, object]:
        return {"number": self.number}

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> Self:
        return cls(value["number"])

    def out_of_range(self) -> str | None:
        return None


def ping_on(topic: str, kind: type[Ping] = Ping) -> type[Ping]:
    """Return the record type for one topic."""
    return type("Ping", (kind,), {"TOPIC": topic})


def register(registry: SchemaRegistryClient, record: type[Record]) -> int:
    """Register a record type as a deployment would."""
    return registry.register_schema(subject_of(record.TOPIC, record.FULL_NAME), Schema(record.SCHEMA, "AVRO"))


def scratch_database(stack: Stack) -> str:
    """Make an empty database and return its address."""
    name = f"scratch_{uuid.uuid4().hex[:12]}"
    stack.postgres.create_databases([name])
    return stack.postgres.dsn(name)


def migrated_database(stack: Stack, service: str) -> str:
    """Make a database with the tables of ``service`` and return its address."""
    dsn = scratch_database(stack)
    migrate(service, DatabaseSettings.model_validate({"database_url": dsn}).database_url)
    return dsn


def database_of(dsn: str, size: int = 5) -> Database:
    """Return connections to a database as the services make theirs."""
    return Database(DatabaseSettings.model_validate({"database_url": dsn}).database_url, size)


@dataclass
class Group:
    """A topic that is consumed by a group of one's own making."""

    stack: Stack
    name: str
    topic: str
    partitions: int
    ping: type[Ping]
    database: Database
    codec: Codec
    producer: Producer
    crashes: list[str] = field(default_factory=list)
    _consumers: list[Consumer] = field(default_factory=list)

    def send(self, numbers: Sequence[int]) -> None:
        """Publish a ping for each number."""
        self.publish([self.codec.encode(Outgoing(self.ping(number))) for number in numbers])

    def publish(self, messages: Sequence[Encoded]) -> None:
        self.producer.deliver(messages, 20)

    def consume(
        self,
        handle: Handle,
        *,
        batch_size: int = 100,
        producer: Producer | None = None,
        client: Mapping[str, str | int | float | bool] | None = None,
        stall_seconds: float = 15,
    ) -> Consumer:
        """Start a member of the group."""
        consumer = Consumer(
            client or {"bootstrap.servers": self.stack.bootstrap},
            self.name,
            [self.topic],
            handle,
            codec=self.codec,
            database=self.database,
            producer=producer or self.producer,
            batch_size=batch_size,
            on_crash=self.crashes.append,
            stall_seconds=stall_seconds,
        )
        self._consumers.append(consumer)
        consumer.start()
        return consumer

    def stop(self) -> None:
        for consumer in self._consumers:
            consumer.stop()

    def effects(self) -> list[int]:
        """Return the numbers that have had their effect, in order."""
        with self.database.transaction() as tx:
            return [number for (number,) in tx.execute("SELECT number FROM effects ORDER BY number")]

    def committed(self) -> list[int]:
        """Return the group's committed offsets by partition."""
        return committed(self.stack.bootstrap, self.name, self.topic, self.partitions)


def store(messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
    """Give each message its effect, once."""
    numbers = [message.record.key for message in messages]
    tx.execute(
        "INSERT INTO effects SELECT unnest(CAST(%(numbers)s AS bigint[])) ON CONFLICT DO NOTHING",
        {"numbers": numbers},
    )
    return []


class Recorded:
    """A handler that stores, and remembers every call; ``before`` may raise, or take its time."""

    def __init__(self, before: Callable[[list[int]], None] = lambda _: None) -> None:
        self.calls: list[list[int]] = []
        self._before, self._lock = before, threading.Lock()

    def __call__(self, messages: Sequence[Message[Record]], tx: Transaction) -> list[Outgoing]:
        numbers = [message.record.key for message in messages]
        with self._lock:
            self.calls.append(numbers)
        self._before(numbers)
        return store(messages, tx)


@contextmanager
def scratch_group(
    stack: Stack, partitions: int = 1, largest: int = 1_048_588, largest_letter: int = 4_194_304
) -> Iterator[Group]:
    """Make a topic for messages up to ``largest`` bytes, its dead letters, a schema, a database; a group of them."""
    name = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    with ExitStack() as cleanup:
        create_topic(stack.bootstrap, name, partitions, {"max.message.bytes": str(largest)})
        create_topic(
            stack.bootstrap,
            f"{name}.dlq",
            config={"cleanup.policy": "compact", "max.message.bytes": str(largest_letter)},
        )
        cleanup.callback(delete_topics, stack.bootstrap, name, f"{name}.dlq")
        registry = cleanup.enter_context(registry_client(stack.registry_url))
        ping = ping_on(name)
        register(registry, ping)
        codec = Codec(registry, [ping])
        codec.load()
        database = database_of(scratch_database(stack))
        cleanup.callback(database.close)
        with database.transaction() as tx:
            tx.execute("CREATE TABLE effects (number bigint PRIMARY KEY)")
            tx.execute(CREATE_CONSUMED_OFFSETS)
        crashes: list[str] = []
        producer = Producer({"bootstrap.servers": stack.bootstrap}, crashes.append)
        cleanup.callback(producer.close, 5)
        group = Group(stack, name, name, partitions, ping, database, codec, producer, crashes)
        cleanup.callback(group.stop)
        yield group
        assert crashes == []
