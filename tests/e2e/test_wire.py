"""The wire format as other programs read it: confluent-kafka's own deserializer, the registry, and none of our code."""

import re
import uuid
from collections.abc import Iterator, Mapping

import pytest
from confluent_kafka import Message
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from sagakit.records import Record
from tests.support import trust
from tests.support.declared import TOPICS, completed, refused
from tests.support.kafka import Tape, headers, taped
from tests.support.shop import PRICE, Shop

HAPPY = completed()
UNDELIVERABLE = refused("create-delivery")


@pytest.fixture
def tape(stack: Stack) -> Iterator[Tape]:
    with taped(stack.bootstrap, *TOPICS) as tape:
        yield tape


@pytest.fixture
def decode(stack: Stack) -> Iterator[AvroDeserializer]:
    with SchemaRegistryClient(trust.registry(stack.registry_url)) as client:
        yield AvroDeserializer(client, conf={"subject.name.strategy": topic_record_subject_name_strategy})


def read(decode: AvroDeserializer, message: Message) -> Mapping[str, object]:
    topic, value = message.topic(), message.value()
    assert topic is not None
    record = decode(value, SerializationContext(topic, MessageField.VALUE))
    assert isinstance(record, Mapping)
    return record


def _hops(messages: list[Message], message: Message) -> int:
    """Count the causes before a message."""
    by_id = {headers(one)["message-id"]: one for one in messages}
    cause = by_id.get(headers(message).get("causation-id", b""))
    return 0 if cause is None else 1 + _hops(messages, cause)


def story(messages: list[Message]) -> list[tuple[str | None, str]]:
    in_order = sorted(messages, key=lambda message: _hops(messages, message))
    return [(message.topic(), headers(message)["message-type"].decode()) for message in in_order]


def story_of(records: list[type[Record]]) -> list[tuple[str | None, str]]:
    return [(record.TOPIC, record.FULL_NAME) for record in records]


def messages_of(tape: Tape, order_id: int) -> list[Message]:
    return tape.until(len(HAPPY), str(order_id).encode())


def test_a_happy_order_is_a_command_and_a_reply_for_each_step(shop: Shop, tape: Tape) -> None:
    order = shop.final(shop.place(shop.product()))
    assert story(tape.until(len(HAPPY), str(order.order_id).encode())) == story_of(HAPPY)


def test_an_undeliverable_order_is_messages_that_give_back_what_was_taken(shop: Shop, tape: Tape) -> None:
    order = shop.final(shop.place(shop.product(), address="PO Box 42"))
    assert story(tape.until(len(UNDELIVERABLE), str(order.order_id).encode())) == story_of(UNDELIVERABLE)


def test_a_stranger_reads_every_message(shop: Shop, tape: Tape, decode: AvroDeserializer) -> None:
    product = shop.product()
    order = shop.final(shop.place(product, quantity=2, user_id=3, address="Elm Street 13"))
    found = {message.topic(): read(decode, message) for message in tape.until(len(HAPPY), str(order.order_id).encode())}
    assert {record["order_id"] for record in found.values()} == {order.order_id}
    created = found["order-created"]
    assert (created["user_id"], created["address"]) == (3, "Elm Street 13")
    assert (created["product_id"], created["quantity"], created["price"]) == (product, 2, PRICE)
    assert found["product-decreased"]["success"] is True
    delivery = shop.delivery(order)
    assert delivery is not None
    assert found["delivery-created"]["delivery_id"] == delivery.delivery_id


def test_every_message_says_what_it_is_and_why_it_was_sent(shop: Shop, tape: Tape) -> None:
    order = shop.final(shop.place(shop.product()))
    found = {message.topic(): message for message in messages_of(tape, order.order_id)}
    messages = [found[record.TOPIC] for record in HAPPY]
    ids = [str(uuid.UUID(headers(message)["message-id"].decode())) for message in messages]
    assert len(set(ids)) == len(HAPPY)
    causes = [headers(message).get("causation-id", b"").decode() for message in messages]
    assert causes == ["", *ids[:-1]]


def test_one_trace_goes_through_the_whole_saga(shop: Shop, tape: Tape) -> None:
    order = shop.final(shop.place(shop.product()))
    traces = [headers(message)["traceparent"].decode() for message in messages_of(tape, order.order_id)]
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", traces[0]), "nobody records it"
    assert traces == [traces[0]] * len(HAPPY)


def test_the_callers_own_trace_is_carried_on(shop: Shop, tape: Tape) -> None:
    trace = uuid.uuid4().hex
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=shop.product(), quantity=1, price=PRICE)
    metadata = (("traceparent", f"00-{trace}-00f067aa0ba902b7-01"), ("tracestate", "congo=1"))
    order = shop.final(shop.orders.CreateOrder(request, metadata=metadata).order)
    for message in messages_of(tape, order.order_id):
        assert headers(message)["traceparent"].decode() == f"00-{trace}-00f067aa0ba902b7-01"
        assert headers(message)["tracestate"] == b"congo=1"


def test_an_order_keeps_to_one_partition_which_its_neighbours_share(shop: Shop, tape: Tape) -> None:
    order = shop.final(shop.place(shop.product()))
    placed = {message.partition() for message in messages_of(tape, order.order_id)}
    assert placed == {order.order_id // 128 % 6}
