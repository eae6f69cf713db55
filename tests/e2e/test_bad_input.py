"""Bad input: the right status, the field named, nothing stored, and nothing shown of the server's inside."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import psycopg
import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from devstack.stack import Stack
from tests.support.rpc import Refusal, refusal
from tests.support.shop import COMPLETED, PENDING, PRICE, Shop, new_user
from tests.support.sql import count

INSIDES = ("Traceback", 'File "', ".py", "sqlalchemy", "psycopg", "INSERT", "SELECT")


def must_show_no_insides(refused: Refusal) -> None:
    assert [word for word in INSIDES if word in refused.everything] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity", 0),
        ("quantity", -1),
        ("quantity", 1_000_001),
        ("quantity", 2**63 - 1),
        ("price", -1),
        ("price", 2**63 - 1),
        ("user_id", 0),
        ("user_id", -1),
        ("product_id", 0),
        ("address", "x" * 10_240),
        ("address", "Main\0Street"),
        ("request_id", "not-a-uuid"),
    ],
    ids=lambda value: str(value)[:20].replace("\0", "NUL"),
)
def test_an_order_that_breaks_a_rule_is_refused_and_not_stored(
    stack: Stack, shop: Shop, field: str, value: object
) -> None:
    user = new_user()
    good: dict[str, object] = {"user_id": user, "product_id": 1, "quantity": 1, "price": PRICE}
    request = order_pb2.CreateOrderRequest(**{**good, field: value})  # type: ignore[arg-type] # by name
    refused = refusal(lambda: shop.orders.CreateOrder(request, timeout=10))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert (refused.fields, refused.reason) == ([field], "INVALID_ARGUMENT")
    assert field in refused.text
    must_show_no_insides(refused)
    assert count(stack.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE user_id = %s", user) == 0


def test_every_field_that_breaks_a_rule_is_named(shop: Shop) -> None:
    refused = refusal(lambda: shop.orders.CreateOrder(order_pb2.CreateOrderRequest(price=-1)))
    assert sorted(refused.fields) == ["price", "product_id", "quantity", "user_id"]


def test_a_bad_order_does_not_hurt_those_beside_it(shop: Shop) -> None:
    product = shop.product(stock=20)
    with ThreadPoolExecutor(40) as pool:
        good = [pool.submit(shop.place, product) for _ in range(20)]
        bad = [pool.submit(refusal, lambda: shop.place(product, quantity=0)) for _ in range(20)]
    assert {one.result().code for one in bad} == {grpc.StatusCode.INVALID_ARGUMENT}
    assert {order.status for order in shop.finals([one.result() for one in good], 20)} == {COMPLETED}


def test_what_does_not_exist_is_not_found(shop: Shop) -> None:
    unknown = 2**62
    asked = {
        "ORDER_NOT_FOUND": lambda: shop.orders.GetOrder(order_pb2.GetOrderRequest(order_id=unknown)),
        "PRODUCT_NOT_FOUND": lambda: shop.products.GetProduct(product_pb2.GetProductRequest(product_id=unknown)),
        "SAGA_NOT_FOUND": lambda: shop.sagas.GetSaga(orchestrator_pb2.GetSagaRequest(order_id=unknown)),
        "DELIVERY_NOT_FOUND": lambda: shop.deliveries.GetDelivery(delivery_pb2.GetDeliveryRequest(order_id=unknown)),
    }
    for reason, call in asked.items():
        refused = refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, reason)
        assert str(unknown) in refused.text
        must_show_no_insides(refused)


def test_asking_for_nothing_in_particular_names_the_field(shop: Shop) -> None:
    asked = [
        refusal(lambda: shop.orders.GetOrder(order_pb2.GetOrderRequest())),
        refusal(lambda: shop.products.GetProduct(product_pb2.GetProductRequest())),
        refusal(lambda: shop.sagas.GetSaga(orchestrator_pb2.GetSagaRequest())),
        refusal(lambda: shop.deliveries.GetDelivery(delivery_pb2.GetDeliveryRequest())),
    ]
    assert [one.fields for one in asked] == [["order_id"], ["product_id"], ["order_id"], ["id"]]
    assert {one.code for one in asked} == {grpc.StatusCode.INVALID_ARGUMENT}


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("name", "x" * 201), ("name", "a\0b"), ("price", -1), ("stock", -1), ("stock", 10**9 + 1)],
    ids=lambda value: str(value)[:20].replace("\0", "NUL") or "empty",
)
def test_a_product_that_breaks_a_rule_is_refused(shop: Shop, field: str, value: object) -> None:
    request = product_pb2.CreateProductRequest(**{"name": "A thing", field: value})  # type: ignore[arg-type] # by name
    refused = refusal(lambda: shop.products.CreateProduct(request))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, [field])


def test_a_call_whose_deadline_has_passed_stores_nothing(stack: Stack, shop: Shop) -> None:
    user = new_user()
    request = order_pb2.CreateOrderRequest(user_id=user, product_id=1, quantity=1, price=PRICE)
    assert refusal(lambda: shop.orders.CreateOrder(request, timeout=0)).code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert stored(stack, user) == 0


def test_a_call_whose_deadline_passes_while_it_waits_its_turn_stores_nothing(stack: Stack, shop: Shop) -> None:
    waiting, hasty = new_user(), new_user()
    calls = [
        order_pb2.CreateOrderRequest(user_id=user, product_id=1, quantity=1, price=PRICE) for user in (waiting, hasty)
    ]
    with psycopg.connect(stack.service("order_svc").dsn) as connection:
        connection.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        first = shop.orders.CreateOrder.future(calls[0], timeout=20)
        time.sleep(0.3)  # its transaction has begun, and waits for the lock
        refused = refusal(lambda: shop.orders.CreateOrder(calls[1], timeout=0.5))
        assert refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert first.result().order.status == PENDING
    shop.place(1)  # whatever was waiting has had its turn
    assert (stored(stack, waiting), stored(stack, hasty)) == (1, 0)


def stored(stack: Stack, user: int) -> int:
    return count(stack.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE user_id = %s", user)


def test_a_client_that_hangs_up_hurts_nobody_else(shop: Shop) -> None:
    product = shop.product()
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=product, quantity=1, price=PRICE)
    for _ in range(20):
        shop.orders.CreateOrder.future(request).cancel()
    watched = shop.place(product)
    stream = shop.orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=watched.order_id))
    assert next(iter(stream)).order.order_id == watched.order_id
    stream.cancel()
    assert shop.final(shop.place(product)).status == COMPLETED


def test_an_order_whose_client_hung_up_can_be_asked_for_again(shop: Shop) -> None:
    product, user, request_id = shop.product(stock=1), new_user(), str(uuid.uuid4())
    request = order_pb2.CreateOrderRequest(
        user_id=user, product_id=product, quantity=1, price=PRICE, request_id=request_id
    )
    shop.orders.CreateOrder.future(request).cancel()
    order = shop.place(product, user_id=user, address="", request_id=request_id)
    assert order.status in {PENDING, COMPLETED}
    assert shop.final(order).status == COMPLETED
    assert shop.stock(product) == 0
