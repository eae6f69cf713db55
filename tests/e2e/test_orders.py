"""How an order ends: completed, or cancelled with the reason and nothing left behind."""

import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2

from tests.support.declared import STEPS
from tests.support.shop import CANCELLED, COMPLETED, PENDING, PRICE, Shop


def test_an_order_is_pending_at_once_and_completed_soon_after(shop: Shop) -> None:
    product = shop.product(stock=10)
    order = shop.place(product, quantity=3, user_id=7, address="Main Street 1")
    assert order.status == PENDING
    assert (order.user_id, order.product_id, order.quantity, order.price) == (7, product, 3, PRICE)
    final = shop.final(order)
    assert (final.status, final.cancel_reason) == (COMPLETED, "")
    assert final.update_time.ToDatetime() > final.create_time.ToDatetime()
    assert shop.stock(product) == 7


def test_a_completed_order_has_one_delivery_to_its_address(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product(), user_id=8, address="Elm Street 13"))
    delivery = shop.delivery(order)
    assert delivery is not None
    assert (delivery.order_id, delivery.user_id, delivery.address) == (order.order_id, 8, "Elm Street 13")
    assert delivery.status == delivery_pb2.DELIVERY_STATUS_SCHEDULED
    by_id = delivery_pb2.GetDeliveryRequest(delivery_id=delivery.delivery_id)
    assert shop.deliveries.GetDelivery(by_id).delivery == delivery


def test_an_order_needs_no_address(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product(), address=""))
    assert (order.status, order.address) == (COMPLETED, "")


def test_the_last_pieces_are_sold_and_not_one_more(shop: Shop) -> None:
    product = shop.product(stock=5)
    assert shop.final(shop.place(product, quantity=5)).status == COMPLETED
    late = shop.final(shop.place(product, quantity=1))
    assert (late.status, late.cancel_reason) == (CANCELLED, "OUT_OF_STOCK")
    assert shop.stock(product) == 0


@pytest.mark.parametrize(
    ("quantity", "price", "address", "reason"),
    [
        pytest.param(11, PRICE, "Main Street 1", "OUT_OF_STOCK", id="out-of-stock"),
        pytest.param(1, PRICE - 1, "Main Street 1", "PRICE_CHANGED", id="price-changed"),
        pytest.param(1, PRICE, "PO Box 42", "UNDELIVERABLE_ADDRESS", id="undeliverable"),
    ],
)
def test_a_refused_order_is_cancelled_with_its_reason_and_leaves_nothing_behind(
    shop: Shop, quantity: int, price: int, address: str, reason: str
) -> None:
    product = shop.product(stock=10)
    order = shop.final(shop.place(product, quantity=quantity, price=price, address=address))
    assert (order.status, order.cancel_reason) == (CANCELLED, reason)
    assert shop.stock(product) == 10
    assert shop.delivery(order) is None


def test_an_order_of_a_product_that_does_not_exist_is_cancelled(shop: Shop) -> None:
    order = shop.final(shop.place(999_999_999))
    assert (order.status, order.cancel_reason) == (CANCELLED, "UNKNOWN_PRODUCT")


def test_the_history_shows_a_happy_saga_step_by_step(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    found = shop.saga(order)
    assert [(orchestrator_pb2.SagaEventType.Name(event.type)[16:], event.step) for event in found.history] == [
        ("STARTED", ""),
        *(("STEP_DONE", step) for step in STEPS),
    ]
    assert [event.version for event in found.history] == list(range(1, len(STEPS) + 2))
    assert len({event.message_id for event in found.history}) == len(found.history)
    assert found.saga.status == orchestrator_pb2.SAGA_STATUS_COMPLETED
    assert (found.saga.pending_command, found.saga.step) == ("CompleteOrderCommand", "")
    assert list(found.saga.remaining_steps) == []


def test_the_stock_is_back_before_an_undeliverable_order_is_cancelled(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product(stock=1), address="P.O. Box 7"))
    found, done = shop.saga(order), STEPS.index("create-delivery")
    assert [orchestrator_pb2.SagaEventType.Name(event.type)[16:] for event in found.history] == [
        "STARTED",
        *["STEP_DONE"] * done,
        "STEP_REFUSED",
        *["STEP_UNDONE"] * done,
    ]
    assert found.history[done + 1].reason == "UNDELIVERABLE_ADDRESS"
    assert found.saga.status == orchestrator_pb2.SAGA_STATUS_COMPENSATED
    assert found.saga.reason == "UNDELIVERABLE_ADDRESS"
    assert found.history[-1].create_time.ToNanoseconds() <= order.update_time.ToNanoseconds()
    assert shop.stock(order.product_id) == 1
