"""The rules of an order's life."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from order_svc.orders import Ending, NewOrder, Order, OrderStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PENDING = Order(7, 1, 2, 3, 100, "Main Street 1", OrderStatus.PENDING, None, NOW, NOW)
COMPLETED = replace(PENDING, status=OrderStatus.COMPLETED)
CANCELLED = replace(PENDING, status=OrderStatus.CANCELLED, cancel_reason="OUT_OF_STOCK")


def test_an_order_is_final_once_it_has_ended() -> None:
    assert [order.final for order in (PENDING, COMPLETED, CANCELLED)] == [False, True, True]


@pytest.mark.parametrize(
    ("order", "ending", "contradicts"),
    [
        (PENDING, Ending(7, OrderStatus.COMPLETED), False),
        (COMPLETED, Ending(7, OrderStatus.COMPLETED), False),
        (COMPLETED, Ending(7, OrderStatus.CANCELLED, "OUT_OF_STOCK"), True),
        (CANCELLED, Ending(7, OrderStatus.CANCELLED, "OUT_OF_STOCK"), False),
        (CANCELLED, Ending(7, OrderStatus.CANCELLED, "PRICE_CHANGED"), True),
        (CANCELLED, Ending(7, OrderStatus.COMPLETED), True),
    ],
)
def test_only_another_end_contradicts_a_final_order(order: Order, ending: Ending, contradicts: bool) -> None:
    assert ending.contradicts(order) is contradicts


@pytest.mark.parametrize(
    "change", [{"product_id": 9}, {"quantity": 9}, {"price": 9}, {"address": "elsewhere"}, {"user_id": 9}]
)
def test_the_same_request_means_the_same_content(change: dict[str, object]) -> None:
    request = NewOrder(1, 2, 3, 100, "Main Street 1", "a-request")
    assert PENDING.is_for(request)
    assert not PENDING.is_for(replace(request, **change))  # type: ignore[arg-type] # one field at a time
