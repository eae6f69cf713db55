"""The announcer: it announces orders again that stay PENDING, less and less often, and no others."""

import math
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest
from confluent_kafka import Message
from opentelemetry.trace import StatusCode
from ordersaga.messages import OrderCancelRequested, OrderCreated

from devstack.stack import Stack
from order_svc import store
from order_svc.announcer import Announcer
from order_svc.orders import Ending, NewOrder, Order, OrderStatus, announcements
from sagakit.avro.codec import Codec
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.postgres.database import Database
from sagakit.records import Record
from sagakit.runtime.set_aside import Claim
from sagakit.trace_context import TraceContext
from tests.support.kafka import Tape, create_topic, delete_topics, headers, taped
from tests.support.registry import registry_client
from tests.support.scratch import PREFIX, database_of, migrated_database
from tests.support.spans import keeping, named
from tests.support.wait import eventually

AFTER = 120.0


class Diverted(Producer):
    """A producer whose messages all go to one topic, so that these orders reach no saga."""

    topic: str

    def deliver(self, messages: Sequence[Encoded], seconds: float = math.inf) -> None:
        super().deliver([message._replace(topic=self.topic) for message in messages], seconds)


@dataclass
class Desk:
    """An order service's database, and where its announcements go."""

    database: Database
    codec: Codec
    producer: Diverted
    tape: Tape

    def orders(self, count: int, *, late_by: float = 1.0) -> list[Order]:
        """Store orders whose announcement has been due for ``late_by`` seconds."""
        request = NewOrder(1, 2, 3, 100, "Main Street 1", None)
        with self.database.transaction() as tx:
            return list(store.insert(tx, [request] * count, -late_by).values())

    def announcer(self, *, limit: int = 100) -> Announcer:
        return Announcer(
            self.database, self.codec, self.producer, after_seconds=AFTER, interval_seconds=0.1, limit=limit
        )

    def due(self, order: Order) -> tuple[int, float]:
        """Return how often an order was announced, and in how many seconds it is due again."""
        with self.database.transaction() as tx:
            ((announced, seconds),) = tx.execute(
                "SELECT announcements, extract(epoch FROM announce_time - now()) FROM orders WHERE order_id = %(id)s",
                {"id": order.order_id},
            )
        return int(announced), float(seconds)

    def set(self, order: Order, assignment: str) -> None:
        with self.database.transaction() as tx:
            tx.execute(f"UPDATE orders SET {assignment} WHERE order_id = %(id)s", {"id": order.order_id})  # noqa: S608 - a test's own

    def announced(self, count: int) -> list[Record]:
        return [self._decoded(message) for message in self.tape.until(count)]

    def _decoded(self, message: Message) -> Record:
        return self.codec.decode("order-created", message.key(), message.value(), headers(message))


@pytest.fixture
def desk(stack: Stack) -> Iterator[Desk]:
    database, topic = database_of(migrated_database(stack, "order_svc")), f"{PREFIX}{uuid.uuid4().hex[:12]}"
    create_topic(stack.bootstrap, topic)
    producer = Diverted({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    producer.topic = topic
    with registry_client(stack.registry_url) as registry, taped(stack.bootstrap, topic) as tape:
        codec = Codec(registry, [OrderCreated, OrderCancelRequested])
        codec.load()
        yield Desk(database, codec, producer, tape)
    producer.close(5)
    database.close()
    delete_topics(stack.bootstrap, topic)


def test_an_order_that_somebody_has_changed_by_hand_keeps_no_other_waiting(desk: Desk) -> None:
    orders = desk.orders(9)
    with desk.database.transaction() as tx:
        tx.execute("UPDATE orders SET create_time = 'infinity' WHERE order_id = %(id)s", {"id": orders[4].order_id})
    announcer = desk.announcer()
    while announcer.announce_once():
        pass
    assert {desk.due(order)[0] for order in orders[:4] + orders[5:]} == {1}


def test_an_order_that_is_due_is_announced_again_in_the_same_words(desk: Desk) -> None:
    (order,) = desk.orders(1)
    assert desk.announcer().announce_once() == 1
    assert desk.announced(1) == announcements(order)
    announced, seconds = desk.due(order)
    assert announced == 1
    assert 2 * AFTER - 10 < seconds <= 2 * AFTER
    assert desk.announcer().announce_once() == 0


def test_an_order_that_is_announced_again_goes_on_in_its_trace_where_somebody_records_that(desk: Desk) -> None:
    trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    request = NewOrder(1, 2, 3, 100, "Main Street 1", None)
    requests = [replace(request, trace=one) for one in (trace, trace._replace(sampled=False), None)]
    with desk.database.transaction() as tx:
        orders = store.insert(tx, requests, -1.0)
    assert [orders[place].traceparent for place in range(3)] == [trace.traceparent, None, None]
    assert desk.announcer().announce_once() == 3
    sent = {int(one.key() or b""): headers(one)["traceparent"].decode() for one in desk.tape.until(3)}
    assert sent[orders[0].order_id] == trace.traceparent
    assert all(sent[orders[place].order_id].endswith("-00") for place in (1, 2))


def test_a_span_is_left_of_what_was_announced_and_of_what_was_set_aside_and_of_no_other_attempt(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    request = NewOrder(1, 2, 3, 100, "Main Street 1", None, trace=trace)
    with desk.database.transaction() as tx:
        orders = store.insert(tx, [request] * 4, -1.0)

    def unless_it_is_the_last(order: Order) -> list[OrderCreated | OrderCancelRequested]:
        if order.order_id == orders[3].order_id:
            raise ValueError(order)
        return announcements(order)

    monkeypatch.setattr("order_svc.announcer.announcements", unless_it_is_the_last)
    announcer = desk.announcer()
    with keeping() as kept:
        assert announcer.announce_once() == 2
        assert len(named(kept, "announce order")) == len(named(kept, "create order-created")) == 2
        while announcer.announce_once():
            pass
    assert Counter(span.status.status_code for span in named(kept, "announce order")) == {
        StatusCode.UNSET: 3,
        StatusCode.ERROR: 1,
    }
    assert len(named(kept, "create order-created")) == 3


def test_a_cancel_is_announced_again_with_its_order_and_after_it(desk: Desk) -> None:
    (order,) = desk.orders(1)
    with desk.database.transaction() as tx:
        asked = store.request_cancel(tx, order.order_id, actor="Ada", note="never mind")
    assert desk.announcer().announce_once() == 1
    created, cancel = desk.announced(2)
    assert [created, cancel] == announcements(asked)
    assert isinstance(cancel, OrderCancelRequested)
    assert (cancel.actor, cancel.reason) == ("Ada", "never mind")


def test_orders_that_are_young_or_final_are_left_alone(desk: Desk) -> None:
    desk.orders(1, late_by=-60)
    (final,) = desk.orders(1)
    with desk.database.transaction() as tx:
        store.end(tx, [Ending(final.order_id, OrderStatus.COMPLETED)])
    assert desk.announcer().announce_once() == 0


def test_what_another_announcer_has_in_hand_is_left_to_it(desk: Desk) -> None:
    theirs, mine = desk.orders(2)
    with desk.database.transaction() as other:
        store.lock(other, [theirs.order_id])
        assert desk.announcer().announce_once() == 1
    assert desk.announced(1) == announcements(mine)
    assert desk.due(theirs)[0] == 0


def test_a_pass_announces_no_more_than_its_limit_the_longest_due_first(desk: Desk) -> None:
    later = desk.orders(2, late_by=10)
    sooner = desk.orders(3, late_by=60)
    assert desk.announcer(limit=3).announce_once() == 3
    assert {record.key for record in desk.announced(3)} == {order.order_id for order in sooner}
    assert [desk.due(order)[0] for order in later] == [0, 0]


@pytest.mark.parametrize(("times", "seconds"), [(1, 480), (3, 1920), (4, 3600), (10_000, 3600)])
def test_the_pauses_double_up_to_an_hour(desk: Desk, times: int, seconds: int) -> None:
    (order,) = desk.orders(1)
    desk.set(order, f"announcements = {times}")
    desk.announcer().announce_once()
    announced, left = desk.due(order)
    assert announced == times + 1
    assert seconds - 10 < left <= seconds


def test_what_kafka_did_not_take_uses_up_nothing(desk: Desk) -> None:
    (order,) = desk.orders(1)
    desk.producer.topic = "no-such-topic"
    with pytest.raises(Unavailable):
        desk.announcer().announce_once()
    announced, seconds = desk.due(order)
    assert announced == 0
    assert seconds < 0


def test_with_kafka_away_orders_are_soon_free_for_others(desk: Desk) -> None:
    """The orders are locked while it waits; it must give up before transactions that end or cancel them."""
    (order,) = desk.orders(1)
    away = Diverted({"bootstrap.servers": "127.0.0.1:1"}, lambda _: None)
    away.topic = desk.producer.topic
    announcer = Announcer(desk.database, desk.codec, away, after_seconds=AFTER, interval_seconds=0.05, limit=10)
    announcer.start()
    try:

        def in_hand() -> None:
            with desk.database.transaction() as tx:
                assert store.claim_unannounced(tx, Claim(1, ())) == []

        eventually(in_hand)
        with desk.database.transaction() as tx:
            store.end(tx, [Ending(order.order_id, OrderStatus.COMPLETED)])
    finally:
        announcer.stop()
        away.close(0.1)
    assert desk.due(order)[0] == 0


def test_a_running_announcer_finds_what_is_due_by_itself(desk: Desk) -> None:
    announcer = desk.announcer()
    announcer.start()
    orders = desk.orders(250)

    def all_announced() -> None:
        assert {desk.due(order)[0] for order in orders} == {1}

    eventually(all_announced, 30, every=0.3)
    announcer.stop()
    assert len(desk.announced(250)) == 250
