"""Bytes in Kafka that mean harm, against the running services: each is parked, and orders go on completing."""

import json
import os
import struct
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import pytest
from confluent_kafka import Producer
from confluent_kafka.schema_registry import Schema
from ordersaga.messages import CreateDeliveryCommand, DecreaseProductCommand, OrderCreated

from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.messages import Encoded
from sagakit.records import Record
from tests.support.bombs import send_bomb
from tests.support.kafka import empty_topic, headers, send, taped
from tests.support.line import Line
from tests.support.registry import by_a_stranger, encode, registry_client
from tests.support.shop import COMPLETED, PRICE, Shop
from tests.support.sql import count
from tools.paths import SCHEMAS
from tools.schemas import read_topics

FORGED = 2**61 + 2**40
"""The first of the ids that no order has."""
TOPIC = DecreaseProductCommand.TOPIC
PARTITIONS = read_topics(SCHEMAS)[TOPIC]["partitions"]
TYPE = ("message-type", DecreaseProductCommand.FULL_NAME.encode())
GOOD = DecreaseProductCommand(order_id=FORGED, product_id=1, quantity=1, price=PRICE)


@pytest.fixture(scope="module", autouse=True)
def swept(stack: Stack) -> Iterator[None]:
    """Leave neither letters to other tests, of which there are thousands, nor a batch that no plain client can read."""
    yield
    empty_topic(stack.bootstrap, TOPIC, PARTITIONS)
    for name in NAMES:
        empty_topic(stack.bootstrap, f"{name}.dlq")


@pytest.fixture(autouse=True)
def unharmed(stack: Stack, shop: Shop) -> Iterator[None]:
    """See that no service has died or is halted in the end, and that an order still completes."""
    before = [stack.service(name).pid for name in NAMES]
    yield
    assert shop.final(shop.place(shop.product())).status == COMPLETED
    assert [stack.service(name).pid for name in NAMES] == before


def write(stack: Stack, messages: Sequence[Encoded]) -> None:
    """Write ``messages`` as one crowd."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": stack.bootstrap})
    for message in messages:
        producer.produce(
            message.topic,
            message.value,
            message.key,
            headers=list(message.headers),
            on_delivery=lambda error, _: failures.append(error) if error else None,
        )
    assert producer.flush(30) == 0
    assert not failures


def reasons(stack: Stack, group: str, messages: Sequence[Encoded]) -> list[str]:
    """Write ``messages``, and return for which reasons ``group`` parks them."""
    with taped(stack.bootstrap, f"{group}.dlq") as tape:
        write(stack, messages)
        return [headers(letter)["dead-letter-reason"].decode() for letter in tape.until(len(messages), timeout=60)]


def forged(stack: Stack, schema_ids: Sequence[int], tail: bytes = b"") -> list[Encoded]:
    """Return good commands of a stranger, but for their schema ids and what comes behind them."""
    model = by_a_stranger(encode(stack.registry_url, GOOD))
    content = (model.value or b"")[5:] + tail
    return [model._replace(value=struct.pack(">bI", 0, schema_id) + content) for schema_id in schema_ids]


def test_five_hundred_negative_quantities_move_no_stock(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    bad = DecreaseProductCommand(order_id=FORGED, product_id=product, quantity=-1000, price=PRICE)
    message = encode(stack.registry_url, bad)
    assert reasons(stack, "product_svc", [message] * 500) == ["OUT_OF_RANGE"] * 500
    assert shop.stock(product) == 10


WITH_NUL: dict[str, Record] = {
    "delivery_svc": CreateDeliveryCommand(order_id=FORGED, user_id=1, address="a\0b"),
    "orchestrator_svc": OrderCreated(
        order_id=FORGED, user_id=1, product_id=1, quantity=1, price=PRICE, address="\0", create_time=datetime.now(UTC)
    ),
}


@pytest.mark.parametrize("group", WITH_NUL)
def test_five_hundred_texts_with_nul_are_parked(stack: Stack, group: str) -> None:
    message = encode(stack.registry_url, WITH_NUL[group])
    assert reasons(stack, group, [message] * 500) == ["OUT_OF_RANGE"] * 500


NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
BOMBS = {
    "recursive, 40 kB": (["null", NODE], b"\2" * 40_000 + b"\0"),
    "2³¹ nulls": ({"type": "array", "items": "null"}, b"\x80\x80\x80\x80\x20\0"),
    "decimal of 10⁹ digits": ({"type": "bytes", "logicalType": "decimal", "precision": 10**9, "scale": 10**8}, b"\2\1"),
    "union of thousands": ([{"type": "fixed", "name": f"F{n}", "size": n} for n in range(3000)], b"\0"),
    "what a reader accepts": ("string", b"\2a"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_schemas_of_other_subjects_are_not_read_with_be_they_bombs_or_not(stack: Stack, name: str) -> None:
    extra, tail = BOMBS[name]
    schema = json.loads(DecreaseProductCommand.SCHEMA)
    schema["fields"].append({"name": "extra", "type": extra})
    with registry_client(stack.registry_url) as registry:
        schema_id = registry.register_schema(f"scratch-{uuid.uuid4()}", Schema(json.dumps(schema), "AVRO"))
    assert reasons(stack, "product_svc", forged(stack, [schema_id] * 20, tail)) == ["UNKNOWN_SCHEMA"] * 20
    dsn = stack.service("product_svc").dsn
    assert count(dsn, f"SELECT count(*) FROM stock_movements WHERE order_id = {FORGED}") == 0  # noqa: S608 - a constant


def test_while_two_thousand_invented_ids_are_judged_orders_complete(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=100)
    crowd = forged(stack, range(10**9, 10**9 + 2_000))
    with taped(stack.bootstrap, "product_svc.dlq") as tape:
        write(stack, crowd)
        orders = [shop.place(product) for _ in range(20)]
        assert {one.status for one in shop.finals(orders, 30)} == {COMPLETED}
        assert len(tape.until(len(crowd), timeout=60)) == len(crowd)


LARGE = os.urandom(900_000)
ODD: dict[str, Encoded] = {
    "a key of 900 kB": Encoded(TOPIC, LARGE, b"\0\0\0\0\1x", (TYPE,)),
    "a key that is no text": Encoded(TOPIC, b"\xff\0\xfe", b"\0\0\0\0\1x", (TYPE,)),
    "a value of 900 kB": Encoded(TOPIC, b"7", LARGE, (TYPE,)),
    "a header of 900 kB": Encoded(TOPIC, b"7", b"x", (TYPE, ("colour", LARGE))),
    "twenty thousand headers": Encoded(TOPIC, b"7", b"x", (TYPE, *((f"n{n}", b"\xff\0") for n in range(20_000)))),
    "a type of 900 kB": Encoded(TOPIC, b"7", b"x", (("message-type", LARGE),)),
    "a fingerprint of 900 kB": Encoded(TOPIC, b"7", b"\0\0\0\0\1x", (TYPE, ("schema-fingerprint", LARGE))),
    "a round of 900 kB": Encoded(TOPIC, b"7", b"x", (TYPE, ("dead-letter-round", b"9" * 900_000))),
    "a trace of terminal codes": Encoded(TOPIC, b"\x1b]0;x\x07", b"x", (TYPE, ("traceparent", b"\x1b[2J"))),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_size_and_form_a_message_has_it_is_parked_and_can_be_looked_at(stack: Stack, name: str) -> None:
    message = ODD[name]
    with taped(stack.bootstrap, "product_svc.dlq") as tape:
        write(stack, [message])
        (letter,) = tape.until(1, timeout=40)
    assert (letter.value(), headers(letter).get("dead-letter-key")) == (message.value, message.key)
    line, key = Line(stack), (letter.key() or b"").decode()
    shown = line("dlq", "show", "product_svc", key)
    assert shown.code == 0
    assert "\x1b" not in shown.out
    assert line("dlq", "drop", "product_svc", key).code == 0


def test_a_batch_that_becomes_far_larger_than_it_was_is_parked_and_passed_over(stack: Stack) -> None:
    with taped(stack.bootstrap, "product_svc.dlq") as tape:
        send_bomb(stack.bootstrap, TOPIC, 150_000_000, messages=3)
        (letter,) = tape.until(1, timeout=60)
    assert headers(letter)["dead-letter-reason"] == b"UNREADABLE"


def test_a_planted_letter_is_not_replayed_to_a_topic_of_another_group(stack: Stack) -> None:
    free_goods = encode(stack.registry_url, CreateDeliveryCommand(order_id=FORGED, user_id=1, address="mine"))
    key = f"{CreateDeliveryCommand.TOPIC}-0-0@0123456789ab"
    head = {**dict(free_goods.headers), "dead-letter-key": b"%d" % FORGED, "dead-letter-reason": b"HANDLER_ERROR"}
    send(stack.bootstrap, "product_svc.dlq", key.encode(), free_goods.value, head)
    line = Line(stack)
    with taped(stack.bootstrap, CreateDeliveryCommand.TOPIC) as tape:
        result = line("dlq", "replay", "product_svc", key)
        assert tape.until(0) == []
    assert result.code == 1
    assert "a replay goes only to the group's own topics (FOREIGN_TOPIC)" in result.out
    assert line("dlq", "drop", "product_svc", key).code == 0
