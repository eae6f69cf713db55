"""Poison: it is parked with its reason, and what comes after it is processed."""

import struct
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from ordersaga.messages import CompleteOrderCommand, DecreaseProductCommand

from devstack.stack import Stack
from tests.support.declared import CONSUMED
from tests.support.kafka import headers, parked_from, send, taped
from tests.support.metrics import metric
from tests.support.registry import encode
from tests.support.shop import COMPLETED, Shop


@dataclass(frozen=True)
class Bad:
    """A bad message, and the reason for which it is parked."""

    reason: str
    key: bytes | None
    value: bytes | None
    type: bytes | None

    def head(self) -> dict[str, bytes]:
        given = {"message-id": str(uuid.uuid4()).encode(), "message-type": self.type}
        return {name: value for name, value in given.items() if value is not None}


def decrease(order_id: int, registry_url: str) -> bytes:
    record = DecreaseProductCommand(order_id=order_id, product_id=1, quantity=1, price=1)
    return encode(registry_url, record).value or b""


def parked(stack: Stack, group: str, topic: str, bad: Bad) -> dict[str, bytes]:
    """Send ``bad`` to ``topic`` and return its dead letter's headers, its bytes compared."""
    with taped(stack.bootstrap, f"{group}.dlq") as tape:
        send(stack.bootstrap, topic, bad.key, bad.value, bad.head())
        (letter,) = tape.until(1)
    assert letter.value() == (bad.value or b"")
    head = headers(letter)
    if head["dead-letter-reason"] != b"REUSED_ID":  # a repeated message, whose key is a hash of its content
        where = f"{topic}-{head['dead-letter-partition'].decode()}-{head['dead-letter-offset'].decode()}"
        assert parked_from(letter) == where
    assert head["dead-letter-topic"] == topic.encode()
    assert head.get("dead-letter-key") == bad.key
    assert bad.head().keys() <= head.keys()
    return head


@pytest.mark.parametrize(("group", "topic"), CONSUMED, ids=[topic for _, topic in CONSUMED])
def test_rubbish_is_parked_with_its_group_and_a_later_order_completes(
    stack: Stack, shop: Shop, group: str, topic: str
) -> None:
    head = parked(stack, group, topic, Bad("NO_MESSAGE_TYPE", b"7", b"rubbish", None))
    assert head["dead-letter-reason"] == b"NO_MESSAGE_TYPE"
    assert head["dead-letter-error"]
    assert head["dead-letter-time"].startswith(b"20")
    assert shop.final(shop.place(shop.product())).status == COMPLETED


NAME = DecreaseProductCommand.FULL_NAME.encode()
CASES: list[Callable[[str], Bad]] = [
    lambda _: Bad("NULL_VALUE", b"1", None, NAME),
    lambda _: Bad("NOT_FRAMED", b"1", b"rubbish bytes", NAME),
    lambda _: Bad("NOT_FRAMED", b"1", b"", NAME),
    lambda _: Bad("UNKNOWN_SCHEMA", b"1", struct.pack(">bI", 0, 2_000_000_000) + b"\2\2\2\2", NAME),
    lambda _: Bad("TYPE_NOT_ALLOWED", b"1", b"\0\0\0\0\1\2", CompleteOrderCommand.FULL_NAME.encode()),
    lambda _: Bad("TYPE_NOT_ALLOWED", b"1", b"\0\0\0\0\1\2", b"somebody.else.Record"),
    lambda url: Bad("TYPE_MISMATCH", b"1", decrease(1, url), b"ordersaga.messages.IncreaseProductCommand"),
    lambda url: Bad("BAD_KEY", b"2", decrease(1, url), NAME),
    lambda url: Bad("BAD_KEY", None, decrease(1, url), NAME),
    lambda url: Bad("UNDECODABLE", b"1", decrease(1, url)[:-3], NAME),
    lambda url: Bad("UNDECODABLE", b"1", decrease(1, url) + b"\0", NAME),
]
CASE_NAMES = [
    "null", "not-framed", "empty", "unknown-schema", "wrong-topic", "unknown-type", "mismatch", "key", "no-key",
    "cut-off", "left-over",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=CASE_NAMES)
def test_each_kind_of_poison_is_parked_with_its_reason(stack: Stack, shop: Shop, case: Callable[[str], Bad]) -> None:
    bad = case(stack.registry_url)
    address = stack.service("product_svc").metrics
    before = metric(address, "sagakit_dead_letters_total", reason=bad.reason)
    head = parked(stack, "product_svc", "decrease-product-command", bad)
    assert head["dead-letter-reason"].decode() == bad.reason
    assert metric(address, "sagakit_dead_letters_total", reason=bad.reason) == before + 1
    assert shop.final(shop.place(shop.product())).status == COMPLETED


def test_a_command_with_other_content_for_a_known_order_is_parked_and_changes_nothing(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=9)
    order = shop.final(shop.place(product, quantity=4))
    forged = DecreaseProductCommand(order_id=order.order_id, product_id=product, quantity=5, price=order.price)
    encoded = encode(stack.registry_url, forged)
    bad = Bad("REUSED_ID", encoded.key, encoded.value, NAME)
    assert parked(stack, "product_svc", encoded.topic, bad)["dead-letter-reason"] == b"REUSED_ID"
    assert shop.stock(product) == 5


def test_an_ending_for_an_order_that_does_not_exist_is_parked(stack: Stack) -> None:
    encoded = encode(stack.registry_url, CompleteOrderCommand(order_id=2**62))
    bad = Bad("UNKNOWN_ORDER", encoded.key, encoded.value, CompleteOrderCommand.FULL_NAME.encode())
    assert parked(stack, "order_svc", encoded.topic, bad)["dead-letter-reason"] == b"UNKNOWN_ORDER"
