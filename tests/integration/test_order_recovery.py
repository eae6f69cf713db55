"""Orders that their database has forgotten are found again in Kafka, whatever comes in between."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
import pytest
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from ordersaga.messages import OrderCancelRequested, OrderCreated
from prometheus_client import REGISTRY

from devstack.stack import Stack
from order_svc import recovery, store
from order_svc.orders import NewOrder, Order, order_created
from order_svc.recovery import Recovery
from sagakit.avro.codec import Codec
from sagakit.kafka.producer import Producer
from sagakit.messages import Outgoing
from sagakit.offsets import rereading
from sagakit.records import Record
from sagakit.trace_context import TraceContext
from tests.support.going_back import Earlier, replace_tables
from tests.support.kafka import create_topic, delete_topics
from tests.support.registry import registry_client
from tests.support.scratch import PREFIX, database_of, migrated_database
from tests.support.sql import query

WANTED = NewOrder(1, 2, 3, 100, "Main Street 1", None)
TOPIC = f"{PREFIX}orders-announced"


@dataclass
class Desk:
    """An order service's database, and a topic of its own in which it announces orders."""

    stack: Stack
    dsn: str
    codec: Codec
    producer: Producer

    def __post_init__(self) -> None:
        self.database = database_of(self.dsn)

    def take(self, number: int) -> list[Order]:
        """Store so many orders, in one group."""
        with self.database.transaction() as tx:
            return list(store.insert(tx, [WANTED] * number, 60.0).values())

    def announce(self, orders: Sequence[Order], trace: TraceContext | None = None) -> None:
        messages = [self.codec.encode(Outgoing(order_created(order), trace=trace)) for order in orders]
        self.producer.deliver([message._replace(topic=TOPIC) for message in messages], 20)

    def start(self) -> Recovery:
        """Return the recovery of a process that was just started."""
        self.database.close()
        self.database = database_of(self.dsn)
        client: rereading.Client = {"bootstrap.servers": self.stack.bootstrap, "log_level": 0}
        return Recovery(self.database, self.codec, client, announce_after_seconds=60)

    def found(self, orders: Sequence[Order]) -> set[int]:
        with self.database.transaction() as tx:
            return set(store.get(tx, [order.order_id for order in orders]))


class OnTopic(Codec):
    """Reads what is on the test's topic as if it were on the orders'."""

    def decode(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes | None],
        lay_at: float | None = None,
    ) -> Record:
        assert topic == TOPIC
        return super().decode(OrderCreated.TOPIC, key, value, headers, lay_at)


@pytest.fixture
def desk(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(recovery, "_TOPIC", TOPIC)
    create_topic(stack.bootstrap, TOPIC, 2)
    with registry_client(stack.registry_url) as registry:
        codec = OnTopic(registry, [OrderCreated, OrderCancelRequested])
        codec.load()
        producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
        desk = Desk(stack, migrated_database(stack, "order_svc"), codec, producer)
        yield desk
        producer.close(1)
    desk.database.close()
    delete_topics(stack.bootstrap, TOPIC)


def forgotten(desk: Desk, number: int) -> list[Order]:
    """Return orders that are in Kafka, and that neither the database nor its numbering knows."""
    desk.start().recover()
    (first,) = desk.take(1)
    orders = [replace(first, order_id=first.order_id + ahead) for ahead in range(1, number + 1)]
    desk.announce(orders)
    return orders


@pytest.mark.parametrize("statement", ["number_on", "restore"])
def test_where_it_ends_halfway_no_id_is_given_a_second_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    orders = forgotten(desk, 50)

    def lost(*_: object, **__: object) -> None:
        raise psycopg.OperationalError("the connection is lost")

    with monkeypatch.context() as broken:
        broken.setattr(store, statement, lost)
        with pytest.raises(psycopg.OperationalError):
            desk.start().recover()
    desk.start().recover()
    assert desk.found(orders) == {order.order_id for order in orders}
    assert min(order.order_id for order in desk.take(5)) > orders[-1].order_id


def test_what_is_restored_goes_on_in_its_trace_where_somebody_records_that(desk: Desk) -> None:
    recorded = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    desk.start().recover()
    (first,) = desk.take(1)
    traced, other = (replace(first, order_id=first.order_id + ahead) for ahead in (1, 2))
    desk.announce([traced], recorded)
    desk.announce([traced])  # announced once more, by one who does not record
    desk.announce([other])
    desk.start().recover()
    with desk.database.transaction() as tx:
        found = store.get(tx, [traced.order_id, other.order_id])
    assert [found[one.order_id].traceparent for one in (traced, other)] == [recorded.traceparent, None]


def test_what_was_deleted_meanwhile_is_counted(desk: Desk) -> None:
    orders = forgotten(desk, 40)
    asker = rereading.reader({"bootstrap.servers": desk.stack.bootstrap})
    ends = rereading.ends(asker, TOPIC)
    asker.close()
    kept = [TopicPartition(*partition, max(0, end - 3)) for partition, end in ends.items()]
    before = _deleted()
    admin = AdminClient({"bootstrap.servers": desk.stack.bootstrap})
    for future in admin.delete_records(kept).values():
        future.result(10)
    desk.start().recover()
    restored = len(desk.found(orders))
    assert 0 < restored < len(orders)
    assert _deleted() - before == len(orders) - restored


def _deleted() -> float:
    return REGISTRY.get_sample_value("sagakit_messages_deleted_before_reread_total") or 0.0


def test_tables_that_are_restored_in_place_are_noticed(desk: Desk) -> None:
    """As `pg_restore --clean` does it, while the service runs."""
    running = desk.start()
    desk.announce(desk.take(5))
    running.recover()
    noted = query(desk.dsn, "SELECT topic, partition, next_offset FROM consumed_offsets")
    last = query(desk.dsn, "SELECT last_value FROM orders_order_id_seq")[0][0]
    orders = desk.take(5)
    desk.announce(orders)
    running.recover()
    with psycopg.connect(desk.dsn) as owner:
        owner.execute("ALTER TABLE consumed_offsets RENAME TO dropped")
        owner.execute("CREATE TABLE consumed_offsets (LIKE dropped INCLUDING ALL)")
        owner.execute("DROP TABLE dropped")
        for row in noted:
            owner.execute("INSERT INTO consumed_offsets VALUES (%s, %s, %s)", row)
        owner.execute("DELETE FROM orders WHERE order_id = ANY(%s)", [[order.order_id for order in orders]])
        owner.execute("SELECT setval('orders_order_id_seq', %s)", [last])
    running.recover()
    desk.database.timelines.must_be_whole()
    assert desk.found(orders) == {order.order_id for order in orders}
    assert desk.take(1)[0].order_id > orders[-1].order_id


def test_a_service_that_starts_on_another_history_leaves_out_ids_that_were_given_and_never_announced(
    desk: Desk,
) -> None:
    """As when it starts together with a failover, and Kafka has nothing to restore."""
    desk.start().recover()
    (name,) = query(desk.dsn, "SELECT current_database()")[0]
    then = Earlier(desk.stack.postgres, name)
    acknowledged = desk.take(5)
    then.restore()
    desk.start().recover()
    (order,) = desk.take(1)
    assert order.order_id > acknowledged[-1].order_id + 1000
    desk.start().recover()
    assert desk.take(1)[0].order_id == order.order_id + 1, "it is the same history from then on"


def test_a_history_that_begins_while_the_one_before_is_made_whole_is_noted_once_it_is_whole_itself(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a process that starts just then would take it for one that lacks nothing."""
    desk.start().recover()
    running, timelines, read = desk.start(), desk.database.timelines, rereading.between

    def replaced_meanwhile(*arguments: Any) -> Iterator[Any]:
        yield from read(*arguments)
        with desk.database.transaction() as tx:
            replace_tables(tx, "consumed_offsets")
            timelines.look(tx)

    with desk.database.transaction() as tx:
        before = store.history(tx)
    with monkeypatch.context() as going_back:
        going_back.setattr(rereading, "between", replaced_meanwhile)
        running.recover()
    with desk.database.transaction() as tx:
        assert store.history(tx) == before != timelines.line
    running.recover()
    with desk.database.transaction() as tx:
        assert store.history(tx) == timelines.line


def test_where_the_timeline_may_not_be_read_orders_are_taken_all_the_same(desk: Desk) -> None:
    (name,) = query(desk.dsn, "SELECT current_database()")[0]
    revoke = "REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC"
    query(psycopg.conninfo.make_conninfo(desk.stack.postgres.dsn("postgres"), dbname=name), revoke)
    desk.start().recover()
    desk.database.timelines.must_be_whole()
    assert len(desk.take(1)) == 1


def test_a_topic_without_metadata_is_not_taken_for_one_without_orders(desk: Desk) -> None:
    asker = rereading.reader({"bootstrap.servers": desk.stack.bootstrap})
    with pytest.raises(KafkaException, match="UNKNOWN_TOPIC"):
        rereading.ends(asker, f"{PREFIX}none-such")
    asker.close()
