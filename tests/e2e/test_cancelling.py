"""Cancelling an order: accepted while it is PENDING, decided by its saga, and seen by whoever watches."""

import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.support.rpc import code_of, refusal
from tests.support.shop import CANCELLED, COMPLETED, PENDING, Shop, new_user
from tests.support.stored_state import StoredState
from tests.support.trust import in_history
from tests.support.wait import eventually

CANCEL_REQUESTED = "CANCEL_REQUESTED"

pytestmark = pytest.mark.timeout(180)


def notes(shop: Shop, order: order_pb2.Order) -> list[str]:
    """Return who asked for the cancel of an order and why, by its saga's history."""
    accepted = orchestrator_pb2.SAGA_EVENT_TYPE_CANCEL_ACCEPTED
    return [event.reason for event in shop.saga(order).history if event.type == accepted]


def must_have_heard(shop: Shop, order: order_pb2.Order) -> None:
    """Raise AssertionError unless the order's saga has the cancel."""
    try:
        assert notes(shop, order), f"the saga of order {order.order_id} did not get its cancel"
    except grpc.RpcError as error:  # the database has only just come back
        if code_of(error) is not grpc.StatusCode.UNAVAILABLE:
            raise
        raise AssertionError(str(error)) from error


def test_a_cancel_before_the_delivery_undoes_everything(breakable: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    breakable.service("product_svc").stop()
    order = shop.place(product, quantity=3)
    asked = shop.cancel(order, actor="Ada of the help desk", reason="ordered twice")
    assert asked.status == PENDING
    assert asked.HasField("cancel_request_time")
    breakable.service("product_svc").start()
    final = shop.final(order)
    assert (final.status, final.cancel_reason) == (CANCELLED, CANCEL_REQUESTED)
    assert final.cancel_request_time == asked.cancel_request_time
    assert shop.stock(product) == 10
    assert shop.delivery(order) is None
    assert notes(shop, order) == [in_history(breakable, "Ada of the help desk", "ordered twice")]
    StoredState(breakable, [final]).must_agree()


def test_a_cancel_may_be_repeated_and_the_first_is_kept(breakable: Stack, shop: Shop) -> None:
    user = new_user()
    product = shop.product()
    breakable.service("product_svc").stop()
    order = shop.place(product, user_id=user)
    first = shop.cancel(order, reason="changed my mind")
    assert shop.cancel(order, actor="somebody else", reason="too late to say so") == first
    assert shop.order(order.order_id) == first
    breakable.service("product_svc").start()
    assert shop.final(order).cancel_reason == CANCEL_REQUESTED
    assert notes(shop, order) == [in_history(breakable, f"user {user}", "changed my mind", named=False)]


def test_an_order_that_has_ended_cannot_be_cancelled(shop: Shop) -> None:
    for address in ("Main Street 1", "PO Box 42"):
        order = shop.final(shop.place(shop.product(), address=address))
        refused = refusal(lambda order=order: shop.cancel(order))  # type: ignore[misc] # a default binds it
        assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ORDER_FINAL")
        assert shop.order(order.order_id) == order
        assert not order.HasField("cancel_request_time")


def test_an_order_that_does_not_exist_cannot_be_cancelled(shop: Shop) -> None:
    refused = refusal(lambda: shop.cancel(order_pb2.Order(order_id=2**62)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")


@pytest.mark.parametrize(
    ("field", "value"), [("order_id", 0), ("actor", "a" * 101), ("reason", "r" * 501), ("reason", "nul\0")]
)
def test_a_request_to_cancel_that_breaks_a_rule_is_refused(shop: Shop, field: str, value: object) -> None:
    request = order_pb2.CancelOrderRequest(**{"order_id": 1, field: value})  # type: ignore[arg-type] # one field at a time
    refused = refusal(lambda: shop.orders.CancelOrder(request, timeout=5))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def test_who_watches_sees_that_a_cancel_was_asked_for(breakable: Stack, shop: Shop) -> None:
    product = shop.product()
    breakable.service("product_svc").stop()
    order = shop.place(product)
    stream = iter(shop.orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=order.order_id), timeout=30))
    assert not next(stream).order.HasField("cancel_request_time")
    began = time.monotonic()
    asked = shop.cancel(order)
    assert next(stream).order == asked
    assert time.monotonic() - began < 3  # well below the five seconds after which a watcher looks by itself
    breakable.service("product_svc").start()
    assert [(update.order.status, update.order.cancel_reason) for update in stream] == [(CANCELLED, CANCEL_REQUESTED)]


def test_a_cancel_that_overtakes_its_order_ends_it_all_the_same(breakable: Stack, shop: Shop) -> None:
    """With Kafka away both wait in the outbox, which promises no order."""
    product = shop.product(stock=10)
    breakable.service("product_svc").stop()  # else an order may be past its pivot before a late cancel is there
    breakable.kafka.stop()
    orders = [shop.place(product) for _ in range(5)]
    for order in orders:
        assert shop.cancel(order).status == PENDING
    breakable.kafka.start()
    for order in orders:
        eventually(lambda order=order: must_have_heard(shop, order), 60)  # type: ignore[misc] # a default binds it
    breakable.service("product_svc").start()
    finals = shop.finals(orders, 90)
    assert {(order.status, order.cancel_reason) for order in finals} == {(CANCELLED, CANCEL_REQUESTED)}
    assert shop.stock(product) == 10
    StoredState(breakable, finals).must_agree()


def test_cancels_that_race_their_orders_end_each_in_one_way_and_no_stock_is_lost(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=1000)

    def place_and_cancel(number: int) -> tuple[order_pb2.Order, bool]:
        order = shop.place(product)
        time.sleep(number % 8 * 0.01)
        try:
            shop.cancel(order)
        except grpc.RpcError as error:
            if code_of(error) is not grpc.StatusCode.FAILED_PRECONDITION:
                raise
            return order, False
        return order, True

    with ThreadPoolExecutor(16) as pool:
        placed = list(pool.map(place_and_cancel, range(160)))
    finals = shop.finals([order for order, _ in placed], 30)
    for final, (_, accepted) in zip(finals, placed, strict=True):
        assert final.HasField("cancel_request_time") is accepted
        assert accepted or final.status == COMPLETED
        assert final.cancel_reason == (CANCEL_REQUESTED if final.status == CANCELLED else "")
    completed = sum(final.status == COMPLETED for final in finals)
    assert shop.stock(product) == 1000 - completed
    StoredState(stack, finals).must_agree()


def test_what_was_answered_is_stored_also_where_the_database_goes_away_meanwhile(breakable: Stack, shop: Shop) -> None:
    product = shop.product(stock=1000)
    breakable.service("product_svc").stop()
    orders = [shop.place(product) for _ in range(200)]
    calls = [
        shop.orders.CancelOrder.future(order_pb2.CancelOrderRequest(order_id=order.order_id), timeout=20)
        for order in orders
    ]
    for call in calls[:20]:
        call.result()
    breakable.postgres.stop()
    codes = [call.code() for call in calls]
    assert set(codes) <= {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE}
    breakable.postgres.start()
    breakable.service("order_svc").wait_ready()
    answered = [order for order, code in zip(orders, codes, strict=True) if code is grpc.StatusCode.OK]
    for order in answered:  # before the product service is back: past the pivot a cancel would come too late
        eventually(lambda order=order: must_have_heard(shop, order), 90)  # type: ignore[misc] # a default binds it
    breakable.service("product_svc").start()
    finals = shop.finals(orders, 90)
    for final, code in zip(finals, codes, strict=True):
        ended = (final.status, final.cancel_reason)
        if code is grpc.StatusCode.OK:
            assert final.HasField("cancel_request_time"), "a cancel that was answered is lost"
            assert ended == (CANCELLED, CANCEL_REQUESTED)
        else:  # it may be stored all the same, but be announced only when the order is complete
            assert ended in {(CANCELLED, CANCEL_REQUESTED), (COMPLETED, "")}
            assert ended == (COMPLETED, "") or final.HasField("cancel_request_time")
    StoredState(breakable, finals).must_agree()
