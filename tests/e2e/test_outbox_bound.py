"""With Kafka away for long the outbox fills up to its bound; then calls are refused, and change nothing."""

import uuid
from collections.abc import Callable, Iterator

import grpc
import pytest
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.support.metrics import metric
from tests.support.rpc import code_of, refusal, refusal_in
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import count
from tests.support.wait import eventually

LIMIT = 20


BACK_SECONDS = 90.0
"""Kafka, and then every consumer, has to come back first."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def narrow(breakable: Stack) -> Iterator[Stack]:
    """The stack with an order service whose outbox holds little, and nothing yet."""
    service = breakable.service("order_svc")

    def outbox_is_empty() -> None:
        assert outbox_rows(breakable) == 0

    eventually(outbox_is_empty, 30)
    service.stop()
    service.start(extra_env={"OUTBOX_LIMIT": str(LIMIT), "OUTBOX_INTERVAL_SECONDS": "0.3", "OUTBOX_AGE_SECONDS": "1"})
    yield breakable
    service.stop()


def outbox_rows(stack: Stack) -> int:
    return count(stack.service("order_svc").dsn, "SELECT count(*) FROM outbox")


def fill(stack: Stack, place: Callable[[], order_pb2.Order]) -> list[order_pb2.Order]:
    """Place orders until the outbox is full and the service has counted that; return those that were accepted."""
    accepted: list[order_pb2.Order] = []

    def full() -> None:
        try:
            accepted.append(place())
        except grpc.RpcError as error:
            if code_of(error) is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
        assert metric(stack.service("order_svc").metrics, "sagakit_outbox_rows") >= LIMIT

    eventually(full, 30, every=0)
    return accepted


def test_orders_are_accepted_until_the_outbox_is_full_and_again_when_kafka_is_back(narrow: Stack, shop: Shop) -> None:
    product = shop.product(stock=1000)
    known = str(uuid.uuid4())
    narrow.kafka.stop()
    first = shop.place(product, request_id=known)
    accepted = [first, *fill(narrow, lambda: shop.place(product))]
    assert len(accepted) == LIMIT
    assert outbox_rows(narrow) == len(accepted)
    assert narrow.service("order_svc").ready()

    for call in (lambda: shop.place(product), lambda: shop.cancel(first)):
        refused = refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTBOX_FULL")
        assert refused.retry_seconds == 5
    assert refusal(lambda: shop.cancel(order_pb2.Order(order_id=2**62))).code is grpc.StatusCode.NOT_FOUND
    assert shop.place(product, request_id=known) == first, "an order that is stored is answered all the same"
    assert shop.order(first.order_id) == first
    stored = count(narrow.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE product_id = %s", product)
    assert stored == len(accepted), "what was refused was stored"

    narrow.kafka.start()
    assert {order.status for order in shop.finals(accepted, BACK_SECONDS)} == {COMPLETED}

    def accepts_again() -> order_pb2.Order:
        try:
            return shop.place(product)
        except grpc.RpcError as error:
            raise AssertionError(str(error)) from error

    assert shop.final(eventually(accepts_again, 20)).status == COMPLETED
    assert shop.stock(product) == 1000 - len(accepted) - 1


def test_calls_that_share_a_transaction_fill_the_outbox_to_its_bound_and_no_further(narrow: Stack, shop: Shop) -> None:
    product = shop.product(stock=1000)
    narrow.kafka.stop()
    calls = [
        shop.orders.CreateOrder.future(
            order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=500), timeout=10
        )
        for _ in range(4 * LIMIT)
    ]
    codes = [call.code() for call in calls]
    assert set(codes) == {grpc.StatusCode.OK, grpc.StatusCode.RESOURCE_EXHAUSTED}
    accepted = [call.result().order for call in calls if call.code() is grpc.StatusCode.OK]
    assert len(accepted) == LIMIT
    assert outbox_rows(narrow) == len(accepted)
    narrow.kafka.start()
    assert {order.status for order in shop.finals(accepted, BACK_SECONDS)} == {COMPLETED}


def test_a_list_is_stored_as_far_as_there_is_room_and_the_rest_may_be_tried_again(narrow: Stack, shop: Shop) -> None:
    product, request_id = shop.product(stock=1000), str(uuid.uuid4())
    wanted = order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=500)
    known = order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=500, request_id=request_id)
    narrow.kafka.stop()
    lists = [[known], [wanted] * 2 * LIMIT, [wanted, known]]
    requests = iter([order_pb2.CreateOrdersRequest(orders=orders) for orders in lists])
    first, many, last = [list(answer.results) for answer in shop.orders.CreateOrders(requests, timeout=30)]
    accepted = [result.order for result in (*first, *many) if result.HasField("order")]
    assert len(accepted) == LIMIT == outbox_rows(narrow)
    for result in (one for one in (*many, last[0]) if not one.HasField("order")):
        refused = refusal_in(result.error)
        assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTBOX_FULL")
        assert refused.retry_seconds == 5
    assert last[0].HasField("error")
    assert last[1].order == first[0].order, "an order that is stored is answered all the same"
    narrow.kafka.start()
    assert {order.status for order in shop.finals(accepted, BACK_SECONDS)} == {COMPLETED}
    assert shop.stock(product) == 1000 - LIMIT
