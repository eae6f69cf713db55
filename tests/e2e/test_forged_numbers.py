"""Numbers, texts and times outside of the domain, forged into the topics: each is parked, and nothing moves."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from ordersaga.messages import CreateDeliveryCommand, DecreaseProductCommand, IncreaseProductCommand, OrderCreated

from devstack.stack import Stack
from sagakit.records import Record
from tests.support.kafka import headers, send, taped
from tests.support.registry import encode
from tests.support.shop import COMPLETED, PRICE, Shop
from tests.support.sql import count

FORGED = 2**61
"""The first of the ids that no order has."""
QUANTITIES = [-5, -1000, 0, 1_000_001, 2**62, 2**62, 2**62, -(2**63)]
GOOD = OrderCreated(
    order_id=FORGED, user_id=1, product_id=1, quantity=1, price=PRICE, address="a", create_time=datetime.now(UTC)
)


def parked(stack: Stack, group: str, records: Sequence[Record]) -> set[str]:
    """Write ``records`` to their topics, and return the reasons for which ``group`` parks all of them."""
    with taped(stack.bootstrap, f"{group}.dlq") as tape:
        for record in records:
            forged = encode(stack.registry_url, record)
            send(stack.bootstrap, forged.topic, forged.key, forged.value, dict(forged.headers))
        return {headers(letter)["dead-letter-reason"].decode() for letter in tape.until(len(records))}


def test_no_forged_quantity_changes_the_stock_and_good_orders_go_on(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    ids = range(FORGED, FORGED + len(QUANTITIES))
    takes = [
        DecreaseProductCommand(order_id=key, product_id=product, quantity=quantity, price=PRICE)
        for key, quantity in zip(ids, QUANTITIES, strict=True)
    ]
    undos = [IncreaseProductCommand(order_id=one.order_id, product_id=product, quantity=one.quantity) for one in takes]
    assert parked(stack, "product_svc", [*takes, *undos]) == {"OUT_OF_RANGE"}
    assert shop.stock(product) == 10
    dsn = stack.service("product_svc").dsn
    assert count(dsn, f"SELECT count(*) FROM stock_movements WHERE order_id >= {FORGED}") == 0  # noqa: S608 - a constant
    assert shop.final(shop.place(product)).status == COMPLETED
    assert shop.stock(product) == 9


@pytest.mark.parametrize(
    ("group", "record"),
    [
        ("orchestrator_svc", {"user_id": 0}),
        ("orchestrator_svc", {"product_id": -1}),
        ("orchestrator_svc", {"quantity": 0}),
        ("orchestrator_svc", {"price": -1}),
        ("orchestrator_svc", {"price": 10**12 + 1}),
        ("orchestrator_svc", {"address": "a\0b"}),
        ("orchestrator_svc", {"address": "x" * 501}),
        ("orchestrator_svc", {"create_time": datetime(1, 1, 1, tzinfo=UTC)}),
        ("orchestrator_svc", {"create_time": datetime(9999, 12, 31, tzinfo=UTC)}),
        ("orchestrator_svc", {"order_id": -7}),
    ],
    ids=lambda value: str(value)[:40].replace("\0", "NUL"),
)
def test_an_order_that_the_api_would_refuse_starts_no_saga(stack: Stack, group: str, record: dict[str, object]) -> None:
    forged = OrderCreated.from_avro({**GOOD.to_avro(), **record})
    assert parked(stack, group, [forged]) == {"OUT_OF_RANGE"}
    dsn = stack.service(group).dsn
    assert count(dsn, f"SELECT count(*) FROM sagas WHERE saga_id IN ({forged.order_id})") == 0  # noqa: S608 - a number


def test_a_delivery_to_an_address_with_a_null_byte_is_parked_alone(stack: Stack, shop: Shop) -> None:
    bad = [CreateDeliveryCommand(order_id=FORGED + n, user_id=1, address="a\0b") for n in range(12)]
    assert parked(stack, "delivery_svc", bad) == {"OUT_OF_RANGE"}
    assert shop.final(shop.place(shop.product())).status == COMPLETED
