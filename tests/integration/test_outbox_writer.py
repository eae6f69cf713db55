"""Writes with messages: both are stored together and published after, and refused where the outbox is full."""

import asyncio
import math
import threading
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.avro.codec import Codec
from sagakit.errors import NotFound, Unavailable
from sagakit.kafka.producer import PROPERTIES, Producer
from sagakit.messages import Encoded, Outgoing
from sagakit.outbox import table
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.writer import OutboxWriter
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from tests.support.going_back import replace_tables
from tests.support.kafka import create_topic, delete_topics, taped
from tests.support.registry import registry_client
from tests.support.scratch import PREFIX, Ping, database_of, migrated_database, ping_on, register


class Counting(Producer):
    """A producer that remembers how many messages it was given, and may hold them up."""

    given = 0

    def __init__(self, client: dict[str, str | int | float | bool], on_fatal: Callable[[str], None]) -> None:
        super().__init__(client, on_fatal)
        self.free, self.published = threading.Event(), threading.Event()
        self.free.set()

    def deliver(self, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        self.given += len(messages)
        self.free.wait()
        super().deliver(messages, seconds)
        self.published.set()


@dataclass
class Desk:
    """A database with an outbox, and a topic for what is said."""

    stack: Stack
    database: Database
    codec: Codec
    ping: type[Ping]
    bound: OutboxBound
    producers: list[Counting] = field(default_factory=list)

    def writer(self, bootstrap: str) -> tuple[OutboxWriter, Counting]:
        producer = Counting({"bootstrap.servers": bootstrap}, lambda _: None)
        self.producers.append(producer)
        return OutboxWriter(self.database, self.codec, producer, self.bound), producer

    def pings(self, count: int) -> Callable[[Transaction, int], tuple[int, list[Outgoing]]]:
        """Return a write that says as much as there is room for, and returns how much that was."""
        return lambda _, room: (min(count, room), [Outgoing(self.ping(number)) for number in range(min(count, room))])

    async def rows(self) -> int:
        return await self.database.run(lambda tx: table.count(tx, 1_000_000))


@pytest.fixture
async def desk(stack: Stack) -> AsyncIterator[Desk]:
    dsn, topic = migrated_database(stack, "order_svc"), f"{PREFIX}{uuid.uuid4().hex[:12]}"
    create_topic(stack.bootstrap, topic)
    database = database_of(dsn)
    with registry_client(stack.registry_url) as registry:
        ping = ping_on(topic)
        register(registry, ping)
        codec = Codec(registry, [ping])
        codec.load()
        desk = Desk(stack, database, codec, ping, OutboxBound(database, limit=20_000, interval_seconds=60))
        yield desk
    for producer in desk.producers:
        producer.close(0.1)
    database.close()
    delete_topics(stack.bootstrap, topic)


async def test_what_was_said_is_published_and_gone_from_the_outbox(stack: Stack, desk: Desk) -> None:
    with taped(stack.bootstrap, desk.ping.TOPIC) as tape:
        writer, _ = desk.writer(stack.bootstrap)
        assert await writer.write(3, desk.pings(3)) == 3
        await writer.drain()
        assert await desk.rows() == 0
        assert [message.key() for message in tape.until(3)] == [b"0", b"1", b"2"]


async def test_a_write_that_fails_says_nothing_and_takes_no_room(stack: Stack, desk: Desk) -> None:
    writer, producer = desk.writer(stack.bootstrap)

    def refuse(tx: Transaction, room: int) -> tuple[None, list[Outgoing]]:
        assert room == 20_000
        tx.execute("INSERT INTO outbox (topic, key, value, headers) VALUES ('t', '', '', '[]')")
        msg = "refused"
        raise ValueError(msg)

    for _ in range(2):
        with pytest.raises(ValueError, match="refused"):
            await writer.write(20_000, refuse)
    assert await desk.rows() == 0
    assert producer.given == 0


async def test_a_row_stays_until_kafka_has_its_message(stack: Stack, desk: Desk) -> None:
    writer, producer = desk.writer(stack.bootstrap)
    producer.free.clear()
    try:
        await writer.write(3, desk.pings(3))
        await asyncio.sleep(0.5)  # several times as long as what is published waits for the next write
        assert await desk.rows() == 3
    finally:
        producer.free.set()
    await writer.drain()
    assert await desk.rows() == 0


def divide(tx: Transaction, desk: Desk) -> tuple[None, list[Outgoing]]:
    """Say something, in a transaction that cannot be committed: nobody reads the rows, so it fails at the commit."""
    tx.execute("SELECT 1 / 0")
    return None, [Outgoing(desk.ping(1))]


async def test_what_cannot_be_committed_is_not_said(stack: Stack, desk: Desk) -> None:
    writer, producer = desk.writer(stack.bootstrap)
    with pytest.raises(psycopg.errors.DivisionByZero):
        await writer.write(1, lambda tx, _: divide(tx, desk))
    await writer.drain()
    assert producer.given == 0
    assert await desk.rows() == 0


async def test_published_rows_that_a_failed_write_was_to_remove_are_removed_later(
    stack: Stack, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the failed write takes to begin, it finds the rows that are published.
    monkeypatch.setattr("sagakit.outbox.writer._REMOVE_AFTER_SECONDS", 60.0)
    writer, producer = desk.writer(stack.bootstrap)
    await writer.write(3, desk.pings(3))
    await asyncio.to_thread(producer.published.wait, 20)
    for _ in range(2):  # the first may be under way before the writer has heard of it
        with pytest.raises(psycopg.errors.DivisionByZero):
            await writer.write(1, lambda tx, _: divide(tx, desk))
    assert await desk.rows() == 3
    await writer.drain()
    assert await desk.rows() == 0


async def test_a_write_that_meets_other_tables_than_were_there_is_refused_and_leaves_nothing(
    stack: Stack, desk: Desk
) -> None:
    writer, _ = desk.writer(stack.bootstrap)
    await writer.write(1, desk.pings(1))
    await writer.drain()
    await desk.database.run(lambda tx: replace_tables(tx, "outbox", "consumed_offsets"))
    with pytest.raises(Unavailable, match="overwritten"):
        await writer.write(1, desk.pings(1))
    assert await desk.rows() == 0


async def test_what_is_not_found_in_other_tables_than_were_there_may_be_restored_yet(stack: Stack, desk: Desk) -> None:
    writer, _ = desk.writer(stack.bootstrap)
    desk.database.timelines.whole = desk.database.timelines.number

    def miss(_: Transaction, __: int) -> tuple[None, list[Outgoing]]:
        raise NotFound("PING_NOT_FOUND", "there is no ping 7")

    with pytest.raises(NotFound):
        await writer.write(1, miss)
    await desk.database.run(lambda tx: replace_tables(tx, "outbox", "consumed_offsets"))
    with pytest.raises(Unavailable, match="not restored yet"):
        await writer.write(1, miss)


async def test_a_table_that_is_missing_is_not_taken_for_one_that_was_overwritten(stack: Stack, desk: Desk) -> None:
    """As before a migration: an operator must not look for a restore that nobody has made."""
    writer, _ = desk.writer(stack.bootstrap)
    await desk.database.run(lambda tx: tx.execute("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(psycopg.errors.UndefinedTable, match="outbox"):
        await writer.write(1, desk.pings(1))


async def test_a_write_whose_caller_is_cancelled_keeps_its_room_and_is_published(stack: Stack, desk: Desk) -> None:
    desk.bound = OutboxBound(desk.database, limit=10, interval_seconds=60)
    writer, producer = desk.writer(stack.bootstrap)
    begun, goes_on = threading.Event(), threading.Event()

    def wait(_: Transaction, room: int) -> tuple[int, list[Outgoing]]:
        begun.set()
        goes_on.wait(20)
        return room, [Outgoing(desk.ping(number)) for number in range(room)]

    call = asyncio.create_task(writer.write(6, wait))
    await asyncio.to_thread(begun.wait, 20)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert desk.bound.reserve(10) == 4, "the transaction goes on, and may commit"
    desk.bound.settle(4, stored=0)
    goes_on.set()
    assert await asyncio.to_thread(producer.published.wait, 20)
    await writer.drain()
    assert desk.bound.reserve(10) == 10


async def test_while_kafka_does_not_keep_up_little_is_kept_in_memory(stack: Stack, desk: Desk) -> None:
    writer, producer = desk.writer(stack.bootstrap)
    producer.free.clear()
    assert [await writer.write(500, desk.pings(500)) for _ in range(14)] == [500] * 14
    producer.free.set()
    await writer.drain()
    assert producer.given == 5_000
    assert await desk.rows() == 2_000, "the relay publishes the rest"


async def test_with_kafka_away_writes_are_stored_and_one_at_a_time_tries(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROPERTIES, "message.timeout.ms", 1_000)
    writer, producer = desk.writer("127.0.0.1:1")
    assert [await writer.write(500, desk.pings(500)) for _ in range(4)] == [500] * 4
    assert await desk.rows() == 2_000
    await asyncio.sleep(3)  # by then the producer has given its messages up
    assert producer.given == 500
    assert [await writer.write(500, desk.pings(500)) for _ in range(4)] == [500] * 4
    await asyncio.sleep(0.1)
    assert producer.given == 1_000


async def test_there_is_room_up_to_the_limit_and_again_once_rows_are_gone(desk: Desk) -> None:
    desk.bound = OutboxBound(desk.database, limit=10, interval_seconds=60)
    away, _ = desk.writer("127.0.0.1:1")
    assert [await away.write(4, desk.pings(4)) for _ in range(4)] == [4, 4, 2, 0]
    await desk.database.run(lambda tx: tx.execute("DELETE FROM outbox WHERE key < '2'"))
    assert await away.write(1, desk.pings(1)) == 0, "the rows that somebody else removed show with the next count"
    await desk.bound.count()
    room = 10 - await desk.rows()
    assert room > 0
    assert await away.write(10, desk.pings(10)) == room


async def test_what_is_published_makes_room_at_once(stack: Stack, desk: Desk) -> None:
    desk.bound = OutboxBound(desk.database, limit=10, interval_seconds=60)
    writer, _ = desk.writer(stack.bootstrap)
    for _ in range(5):
        assert await writer.write(10, desk.pings(10)) == 10
        await writer.drain()


async def test_a_count_shows_what_other_replicas_have_stored(desk: Desk) -> None:
    one, other = (OutboxBound(desk.database, limit=10, interval_seconds=60) for _ in range(2))
    desk.bound = one
    writer, _ = desk.writer("127.0.0.1:1")
    assert await writer.write(10, desk.pings(10)) == 10
    assert other.reserve(1) == 1
    await other.count()
    assert other.reserve(1) == 0


async def test_a_count_does_not_forget_what_is_being_stored_meanwhile(desk: Desk) -> None:
    bound = OutboxBound(desk.database, limit=10, interval_seconds=60)
    assert bound.reserve(6) == 6
    await bound.count()
    assert bound.reserve(10) == 4, "six rows are about to be committed"
    bound.settle(6, stored=1)
    assert bound.reserve(10) == 5, "of the six, five did not come to be"


async def test_where_the_database_cannot_be_asked_the_last_count_stands(desk: Desk) -> None:
    bound = OutboxBound(desk.database, limit=10, interval_seconds=60)
    assert bound.reserve(6) == 6
    await desk.database.run(lambda tx: tx.execute("ALTER TABLE outbox RENAME TO elsewhere"))
    with pytest.raises(Exception, match="does not exist"):
        await bound.count()
    assert bound.reserve(10) == 4
