"""The rules of an order's life."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from ordersaga.messages import OrderCancelRequested, OrderCreated

from order_svc.orders import (
    CancelRequest,
    Ending,
    NewOrder,
    Order,
    OrderStatus,
    announcements,
    order_cancel_requested,
    order_created,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PENDING = Order(7, 1, 2, 3, 100, "Main Street 1", OrderStatus.PENDING, None, NOW, NOW)
COMPLETED = replace(PENDING, status=OrderStatus.COMPLETED)
ASKED = replace(PENDING, cancel_request=CancelRequest("user 1", "too dear", NOW))
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
        (CANCELLED, Ending(7, OrderStatus.CANCELLED, "UNDONE"), False),
        (CANCELLED, Ending(7, OrderStatus.COMPLETED), True),
    ],
)
def test_only_another_end_contradicts_a_final_order(order: Order, ending: Ending, contradicts: bool) -> None:
    assert ending.contradicts(order) is contradicts


@pytest.mark.parametrize("before", [PENDING, ASKED])
def test_the_news_of_an_end_say_what_the_order_has_become(before: Order) -> None:
    ended = before.after('["CANCELLED", "OUT_OF_STOCK", "2026-01-01T00:00:01.23456+00:00"]')
    later = datetime(2026, 1, 1, 0, 0, 1, 234560, tzinfo=UTC)
    cancelled = replace(before, status=OrderStatus.CANCELLED, cancel_reason="OUT_OF_STOCK", update_time=later)
    assert ended == cancelled


@pytest.mark.parametrize(
    "change", [{"product_id": 9}, {"quantity": 9}, {"price": 9}, {"address": "elsewhere"}, {"user_id": 9}]
)
def test_the_same_request_means_the_same_content(change: dict[str, object]) -> None:
    request = NewOrder(1, 2, 3, 100, "Main Street 1", "a-request")
    assert PENDING.is_for(request)
    assert not PENDING.is_for(replace(request, **change))  # type: ignore[arg-type] # one field at a time


def test_an_order_whose_cancel_was_asked_for_is_not_final_yet() -> None:
    assert not ASKED.final


def test_the_saga_gets_the_whole_order_and_the_same_each_time() -> None:
    message = order_created(PENDING)
    assert (message.order_id, message.user_id, message.product_id, message.quantity, message.price) == (7, 1, 2, 3, 100)
    assert (message.address, message.create_time) == ("Main Street 1", NOW)
    later = replace(ASKED, update_time=datetime(2026, 2, 2, tzinfo=UTC))
    assert order_created(later) == message


def test_a_cancel_carries_the_whole_order_with_who_asked_and_why() -> None:
    message = order_cancel_requested(ASKED)
    assert (message.actor, message.reason, message.request_time) == ("user 1", "too dear", NOW)
    order = order_created(ASKED).to_avro()
    assert order.items() <= message.to_avro().items()


def test_a_cancel_that_nobody_asked_for_has_no_message() -> None:
    with pytest.raises(ValueError, match="nobody"):
        order_cancel_requested(PENDING)


def test_what_is_announced_again_is_the_order_and_then_its_cancel() -> None:
    assert [type(record) for record in announcements(PENDING)] == [OrderCreated]
    assert [type(record) for record in announcements(ASKED)] == [OrderCreated, OrderCancelRequested]
