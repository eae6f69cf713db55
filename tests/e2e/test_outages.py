"""Servers that go away and come back: accepted orders are not lost, and no operator is needed."""

import queue

import grpc
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.rpc import refusal, refusal_in
from tests.support.shop import COMPLETED, PENDING, PRICE, Shop
from tests.support.sql import count
from tests.support.wait import eventually

BACK_SECONDS = 60.0


def test_with_the_database_away_calls_are_refused_and_afterwards_everything_goes_on(
    breakable: Stack, shop: Shop
) -> None:
    product = shop.product(stock=100)
    earlier = [shop.place(product) for _ in range(10)]
    breakable.postgres.stop()
    for call in (
        lambda: shop.place(product),
        lambda: shop.cancel(earlier[0]),
        lambda: shop.order(earlier[0].order_id),
        lambda: shop.stock(product),
    ):
        refused = refusal(call)
        assert refused.code is grpc.StatusCode.UNAVAILABLE
        assert refused.retry_seconds == 1
        assert "Traceback" not in refused.everything
    assert all(breakable.service(name).pid for name in NAMES), "a service ended with its database"
    breakable.postgres.start()
    for name in NAMES:
        breakable.service(name).wait_ready()
    later = [shop.place(product) for _ in range(10)]
    assert {order.status for order in shop.finals([*earlier, *later], BACK_SECONDS)} == {COMPLETED}
    assert shop.stock(product) == 80


def test_with_the_database_away_a_stream_of_lists_goes_on_and_each_order_may_be_tried_again(
    breakable: Stack, shop: Shop
) -> None:
    product = shop.product(stock=100)
    wanted = order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=PRICE)
    two, bad = order_pb2.CreateOrdersRequest(orders=[wanted] * 2), order_pb2.CreateOrderRequest()
    requests: queue.SimpleQueue[order_pb2.CreateOrdersRequest | None] = queue.SimpleQueue()
    stream = iter(shop.orders.CreateOrders(iter(requests.get, None), timeout=100))
    requests.put(two)
    placed = [result.order for result in next(stream).results]
    breakable.postgres.stop()
    requests.put(order_pb2.CreateOrdersRequest(orders=[wanted, bad, wanted]))
    away, refused, away_too = [refusal_in(result.error) for result in next(stream).results]
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    for one in (away, away_too):
        assert (one.code, one.reason, one.retry_seconds) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", 1)
        assert "Traceback" not in one.everything
    breakable.postgres.start()
    for name in NAMES:
        breakable.service(name).wait_ready()
    requests.put(two)
    placed += [result.order for result in next(stream).results]
    requests.put(None)
    assert list(stream) == []
    assert {order.status for order in shop.finals(placed, BACK_SECONDS)} == {COMPLETED}
    assert shop.stock(product) == 96


def test_with_kafka_away_orders_are_accepted_and_completed_afterwards(breakable: Stack, shop: Shop) -> None:
    shop.final(shop.place(shop.product()))  # everyone is at work
    product = shop.product(stock=100)
    breakable.kafka.stop()
    orders = [shop.place(product) for _ in range(20)]
    assert {order.status for order in orders} == {PENDING}
    assert {shop.order(order.order_id).status for order in orders} == {PENDING}
    breakable.service("order_svc").wait_ready()
    breakable.kafka.start()
    assert {order.status for order in shop.finals(orders, BACK_SECONDS)} == {COMPLETED}
    assert shop.stock(product) == 80
    order_db = breakable.service("order_svc").dsn

    def outbox_is_empty() -> None:
        assert count(order_db, "SELECT count(*) FROM outbox") == 0

    eventually(outbox_is_empty, 30)


def test_with_the_registry_away_what_runs_goes_on(breakable: Stack, shop: Shop) -> None:
    product = shop.product()
    for name in NAMES:  # anew, so that none has met any message yet
        breakable.service(name).stop()
        breakable.service(name).start()
    breakable.registry.stop()
    assert shop.final(shop.place(product)).status == COMPLETED
    assert shop.final(shop.place(product, address="PO Box 42")).cancel_reason == "UNDELIVERABLE_ADDRESS"


def test_a_service_that_starts_before_the_registry_waits_for_it(breakable: Stack, shop: Shop) -> None:
    service = breakable.service("product_svc")
    breakable.registry.stop()
    service.stop()
    answered_before = service.log.stat().st_size
    service.launch(service.dsn, breakable.bootstrap, breakable.registry_url)

    def says_what_it_waits_for() -> None:
        assert "schema registry cannot be reached" in service.log.read_text()[answered_before:]

    eventually(says_what_it_waits_for, 30)
    assert not service.ready()
    assert service.pid is not None
    breakable.registry.start()
    service.wait_ready()
    assert shop.final(shop.place(shop.product()), BACK_SECONDS).status == COMPLETED
