"""The outbox relay: it publishes what was left behind, and leaves alone what somebody else has in hand."""

import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
from confluent_kafka import Message

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.outbox import table
from sagakit.outbox.bound import OutboxBound
from sagakit.outbox.relay import Relay
from sagakit.postgres.database import Database
from tests.support.kafka import Tape, create_topic, delete_topics, headers, taped
from tests.support.scratch import PREFIX, database_of, migrated_database
from tests.support.series import value


@dataclass
class Left:
    """An outbox in a database of its own, and the topic that its rows are for."""

    database: Database
    producer: Producer
    topic: str
    tape: Tape

    def leave(self, *keys: str, age_seconds: int = 60) -> list[int]:
        messages = [
            Encoded(self.topic, key.encode(), f"\0{key}".encode(), (("message-id", key.encode()),)) for key in keys
        ]
        with self.database.transaction() as tx:
            ids = [row.outbox_id for row in table.add(tx, messages)]
            tx.execute(
                "UPDATE outbox SET create_time = now() - make_interval(secs => %(age)s) WHERE outbox_id = ANY(%(ids)s)",
                {"age": age_seconds, "ids": ids},
            )
        return ids

    def rows(self) -> int:
        with self.database.transaction() as tx:
            ((number,),) = tx.execute("SELECT count(*) FROM outbox")
        return int(number)

    def relay(self, producer: Producer | None = None) -> Relay:
        return Relay(self.database, producer or self.producer, age_seconds=5, interval_seconds=0.1)

    def published(self, count: int) -> list[Message]:
        return self.tape.until(count)


@pytest.fixture
def left(stack: Stack) -> Iterator[Left]:
    database, topic = database_of(migrated_database(stack, "order_svc")), f"{PREFIX}{uuid.uuid4().hex[:12]}"
    create_topic(stack.bootstrap, topic)
    producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    with taped(stack.bootstrap, topic) as tape:
        yield Left(database, producer, topic, tape)
    producer.close(5)
    database.close()
    delete_topics(stack.bootstrap, topic)


def test_what_was_left_behind_is_published_as_it_was_and_removed(left: Left) -> None:
    left.leave("a", "b")
    assert left.relay().relay_once() == 2
    messages = left.published(2)
    assert [(message.key(), message.value()) for message in messages] == [(b"a", b"\0a"), (b"b", b"\0b")]
    assert headers(messages[0]) == {"message-id": b"a"}
    assert left.rows() == 0


def test_what_is_young_is_left_to_the_fast_path(left: Left) -> None:
    left.leave("young", age_seconds=1)
    assert left.relay().relay_once() == 0
    assert left.rows() == 1


def test_what_another_relay_has_in_hand_is_left_to_it(left: Left) -> None:
    (mine, _) = left.leave("mine", "theirs")
    with left.database.transaction() as other:
        assert other.execute("SELECT 1 FROM outbox WHERE outbox_id = %(id)s FOR UPDATE", {"id": mine}).fetchone()
        assert left.relay().relay_once() == 1
    assert [message.key() for message in left.published(1)] == [b"theirs"]
    assert left.rows() == 1


def test_what_a_relay_has_in_hand_is_passed_over_by_whoever_removes_it(left: Left) -> None:
    """The relay may hold it for as long as Kafka takes; a caller's write must not wait for that."""
    relayed, published = left.leave("relayed", "published")
    with left.database.transaction() as relay:
        assert relay.execute("SELECT 1 FROM outbox WHERE outbox_id = %(id)s FOR UPDATE", {"id": relayed}).fetchone()
        with left.database.transaction() as tx:
            table.remove(tx, [relayed, published])
        assert left.rows() == 1


def test_what_is_not_committed_is_not_published(left: Left) -> None:
    with suppress(Unavailable), left.database.transaction() as open_transaction:
        assert list(table.add(open_transaction, [Encoded(left.topic, b"k", b"v", ())]))
        assert left.relay().relay_once() == 0
        raise Unavailable("it is rolled back")
    assert left.rows() == 0


def test_what_kafka_did_not_take_stays(stack: Stack, left: Left) -> None:
    left.leave("a")
    with left.database.transaction() as tx:
        tx.execute("UPDATE outbox SET topic = 'no-such-topic'")
    producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    with pytest.raises(Unavailable):
        left.relay(producer).relay_once()
    assert left.rows() == 1
    producer.close(1)


def test_a_row_that_kafka_never_takes_is_set_aside_and_keeps_no_other_waiting(left: Left) -> None:
    (first, *_) = left.leave(*(str(number) for number in range(20)))
    with left.database.transaction() as tx:
        too_large = "UPDATE outbox SET value = convert_to(repeat('x', 5000000), 'UTF8') WHERE outbox_id = %(id)s"
        tx.execute(too_large, {"id": first})
    relay = left.relay()
    while left.rows() > 1:
        relay.relay_once()
    assert {message.key() for message in left.published(19)} >= {str(number).encode() for number in range(1, 20)}
    assert relay.relay_once() == 0, "it waits for a minute"


def test_a_running_relay_finds_what_is_left_by_itself(left: Left) -> None:
    relay = left.relay()
    relay.start()
    left.leave(*(str(number) for number in range(1200)))
    assert len(left.published(1200)) == 1200
    relay.stop()
    assert left.rows() == 0


async def test_how_much_waits_and_for_how_long_is_shown(left: Left) -> None:
    bound = OutboxBound(left.database, limit=2, interval_seconds=60)
    await bound.count()
    assert [value(f"sagakit_outbox_{one}") for one in ("rows", "oldest_seconds")] == [0, 0]
    left.leave("1", "2", age_seconds=90)
    left.leave("3", age_seconds=1)
    await bound.count()
    assert value("sagakit_outbox_rows") == 2, "as many as it may hold are counted"
    assert 90 <= (value("sagakit_outbox_oldest_seconds") or 0) < 900
