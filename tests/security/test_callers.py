"""Attacks on services that ask for a token (``AUTH_MODE=jwt``), each tried and refused."""

import hashlib
import hmac
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import grpc
import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2, steps_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from ordersaga_cli.tokens import OPERATOR
from sagakit.rpc import local_issuer
from tests.support.closed import Closed, closed
from tests.support.issuer import ISSUER, Issuer, assembled, good_claims, signed
from tests.support.rpc import Refusal, code_of, connect, refusal, refusal_in
from tests.support.shop import COMPLETED, PRICE, Shop, new_user
from tests.support.wait import eventually

pytestmark = pytest.mark.timeout(180)
SECONDS = 20
WHO: dict[str, Any] = {"actor": "root", "reason": "to see what comes of it"}
ALL = orchestrator_pb2.SagaFilter(status=orchestrator_pb2.SAGA_STATUS_COMPLETED)


def calls(shop: Shop) -> dict[str, Callable[[], object]]:
    """Return every call of the four services by its name, ready to be made."""
    order: dict[str, Any] = {"order_id": 2**40}
    saga = {**order, **WHO}
    new = order_pb2.CreateOrderRequest(user_id=1, product_id=2**40, quantity=1, price=1)
    lists = iter([order_pb2.CreateOrdersRequest(orders=[new])])
    one: dict[str, tuple[Any, Any]] = {
        "CreateOrder": (shop.orders.CreateOrder, new),
        "GetOrder": (shop.orders.GetOrder, order_pb2.GetOrderRequest(**order)),
        "ListOrders": (shop.orders.ListOrders, order_pb2.ListOrdersRequest()),
        "CancelOrder": (shop.orders.CancelOrder, order_pb2.CancelOrderRequest(**order)),
        "CreateProduct": (shop.products.CreateProduct, product_pb2.CreateProductRequest(name="x")),
        "GetProduct": (shop.products.GetProduct, product_pb2.GetProductRequest(product_id=1)),
        "ListProducts": (shop.products.ListProducts, product_pb2.ListProductsRequest()),
        "RestockProduct": (
            shop.products.RestockProduct,
            product_pb2.RestockProductRequest(product_id=1, quantity=1),
        ),
        "ListMovements": (shop.products.ListMovements, product_pb2.ListMovementsRequest(product_id=1)),
        "GetDelivery": (shop.deliveries.GetDelivery, delivery_pb2.GetDeliveryRequest(delivery_id=1)),
        "ListDeliveries": (shop.deliveries.ListDeliveries, delivery_pb2.ListDeliveriesRequest()),
        "GetSaga": (shop.sagas.GetSaga, orchestrator_pb2.GetSagaRequest(**order)),
        "ListSagas": (shop.sagas.ListSagas, orchestrator_pb2.ListSagasRequest()),
        "CountSagas": (shop.sagas.CountSagas, orchestrator_pb2.CountSagasRequest()),
        "GetSagaDeclaration": (shop.sagas.GetSagaDeclaration, steps_pb2.GetSagaDeclarationRequest()),
        "RetrySaga": (shop.sagas.RetrySaga, orchestrator_pb2.RetrySagaRequest(**saga)),
        "CancelSaga": (shop.sagas.CancelSaga, orchestrator_pb2.CancelSagaRequest(**saga)),
        "RetrySagas": (shop.sagas.RetrySagas, orchestrator_pb2.RetrySagasRequest(filter=ALL, limit=1, **WHO)),
        "CancelSagas": (shop.sagas.CancelSagas, orchestrator_pb2.CancelSagasRequest(filter=ALL, limit=1, **WHO)),
    }
    made: dict[str, Callable[[], object]] = {
        name: partial(method, request, timeout=SECONDS) for name, (method, request) in one.items()
    }
    watched = order_pb2.WatchOrderRequest(**order)
    watched_all = orchestrator_pb2.WatchSagasRequest()
    return {
        **made,
        "WatchOrder": lambda: next(shop.orders.WatchOrder(watched, timeout=SECONDS)),
        "CreateOrders": lambda: next(shop.orders.CreateOrders(lists, timeout=SECONDS)),
        "WatchSagas": lambda: next(shop.sagas.WatchSagas(watched_all, timeout=SECONDS)),
    }


@pytest.fixture(scope="module")
def services(stack: Stack) -> Iterator[Closed]:
    with closed(stack) as running:
        yield running


@pytest.fixture
def ann(services: Closed) -> Iterator[Shop]:
    with services.customer(new_user()) as shop:
        yield shop


@pytest.fixture
def operator(services: Closed) -> Iterator[Shop]:
    with services.operator() as shop:
        yield shop


def without_signature(_: Issuer) -> str:
    return assembled({"alg": "none"}, good_claims(sub="1", scope=" ".join(OPERATOR)))


def by_the_public_key_as_a_secret(issuer: Issuer) -> str:
    header = {"alg": "HS256", "kid": issuer.key.kid, "typ": "JWT"}
    claims = good_claims(sub="1", scope=" ".join(OPERATOR))
    body = assembled(header, claims).rstrip(".")
    mac = hmac.new(issuer.key.as_pem(private=False), body.encode(), hashlib.sha256).digest()
    return assembled(header, claims, mac)


def good_but(**claims: Any) -> Callable[[Issuer], str]:
    return lambda issuer: issuer.token("1", *OPERATOR, **claims)


FORGED: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "nothing": (lambda _: "", "TOKEN_INVALID"),
    "alg=none": (without_signature, "TOKEN_INVALID"),
    "HS256 by the public key": (by_the_public_key_as_a_secret, "TOKEN_INVALID"),
    "another key": (lambda _: signed(local_issuer.make_key(), "1", *OPERATOR), "TOKEN_INVALID"),
    "another audience": (good_but(aud="another"), "TOKEN_INVALID"),
    "another issuer": (good_but(iss="https://other.example"), "TOKEN_INVALID"),
    "expired": (good_but(exp=time.time() - 60), "TOKEN_EXPIRED"),
    "not yet valid": (good_but(nbf=time.time() + 3600), "TOKEN_NOT_YET_VALID"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_no_call_takes_a_token_that_is_not_good(services: Closed, kind: str) -> None:
    forge, reason = FORGED[kind]
    with services.shop(forge(services.issuer)) as shop:
        for name, call in calls(shop).items():
            found = refusal(call)
            assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, reason), name


def test_no_call_can_be_made_without_a_token(services: Closed) -> None:
    with Shop(services) as shop:
        for name, call in calls(shop).items():
            found = refusal(call)
            assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"), name


def test_every_call_asks_for_its_own_scope_and_for_no_other(services: Closed) -> None:
    """Each call is refused to whoever has every scope but its own, and let in with that scope alone."""
    scopes = [scope for scope in OPERATOR if scope != "orders:any"]
    let_in: dict[str, set[str]] = {}
    for scope in scopes:
        everything_else = [one for one in OPERATOR if one != scope]
        with services.shop(services.issuer.token("1", *everything_else)) as shop:
            refused = {name for name, call in calls(shop).items() if is_denied(call)}
        with services.shop(services.issuer.token("1", scope)) as shop:
            let_in[scope] = {name for name, call in calls(shop).items() if not is_denied(call)}
        assert refused == let_in[scope], scope
    assert let_in["sagas:operate"] == {"RetrySaga", "CancelSaga", "RetrySagas", "CancelSagas"}
    assert let_in["products:write"] == {"CreateProduct", "RestockProduct"}


def is_denied(call: Callable[[], object]) -> bool:
    try:
        call()
    except grpc.RpcError as error:
        return code_of(error) is grpc.StatusCode.PERMISSION_DENIED
    return False


def test_a_thousand_unknown_key_ids_have_the_issuer_asked_once(services: Closed) -> None:
    header, claims = {"alg": "ES256", "typ": "JWT"}, good_claims()
    with connect(services.service("order_svc").grpc) as channel:
        get: Any = channel.unary_unary("/ordersaga.order.v1.OrderService/GetOrder")
        asked = services.issuer.asked
        for number in range(1000):
            token = assembled({**header, "kid": f"unknown-{number}"}, claims, b"x" * 64)
            metadata = (("authorization", f"Bearer {token}"),)
            found = refusal(partial(get, b"", timeout=SECONDS, metadata=metadata))
            assert found.reason == "TOKEN_INVALID"
        assert services.issuer.asked - asked <= 1


def test_a_customer_places_and_sees_orders_of_her_own(services: Closed, stack: Stack) -> None:
    user = new_user()
    product = Shop(stack).product()
    with services.customer(user) as ann:
        order = ann.final(ann.place(product, user_id=user))
        assert order.status == COMPLETED
        mine = ann.orders.ListOrders(order_pb2.ListOrdersRequest(), timeout=SECONDS).orders
        assert [one.order_id for one in mine] == [order.order_id]


def test_anothers_order_is_not_there(ann: Shop, stack: Stack) -> None:
    victim = Shop(stack).place(Shop(stack).product(), user_id=new_user()).order_id
    for order_id in (victim, 2**40):
        get, watch = order_pb2.GetOrderRequest(order_id=order_id), order_pb2.WatchOrderRequest(order_id=order_id)
        cancel = order_pb2.CancelOrderRequest(order_id=order_id, actor="its owner")
        for call in (
            partial(ann.orders.GetOrder, get, timeout=SECONDS),
            partial(next, ann.orders.WatchOrder(watch, timeout=SECONDS)),
            partial(ann.orders.CancelOrder, cancel, timeout=SECONDS),
        ):
            found = refusal(call)
            assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")
            assert found.text == f"there is no order {order_id}"
    assert not Shop(stack).order(victim).HasField("cancel_request_time")


def test_an_order_for_somebody_else_is_denied_also_inside_a_list(services: Closed, stack: Stack) -> None:
    user, victim = new_user(), new_user()
    product = Shop(stack).product()
    with services.customer(user) as ann:
        found = refusal(partial(ann.place, product, user_id=victim))
        assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_USER")
        asked = [
            order_pb2.CreateOrderRequest(user_id=one, product_id=product, quantity=1, price=PRICE)
            for one in (user, victim, user, 0)
        ]
        (answer,) = ann.orders.CreateOrders(iter([order_pb2.CreateOrdersRequest(orders=asked)]), timeout=SECONDS)
        assert [result.HasField("error") for result in answer.results] == [False, True, False, True]
        denied, invalid = (refusal_in(answer.results[place].error) for place in (1, 3))
        assert (denied.code, denied.reason) == (grpc.StatusCode.PERMISSION_DENIED, "ANOTHER_USER")
        assert invalid.code is grpc.StatusCode.INVALID_ARGUMENT
    of_the_victim = order_pb2.ListOrdersRequest(user_id=victim)
    assert not Shop(stack).orders.ListOrders(of_the_victim, timeout=SECONDS).orders


def test_lists_show_ones_own_and_pages_of_others_do_not_open(services: Closed, stack: Stack) -> None:
    user, victim = new_user(), new_user()
    product = Shop(stack).product()
    theirs = [Shop(stack).place(product, user_id=victim).order_id for _ in range(3)]
    mine = [Shop(stack).place(product, user_id=user).order_id for _ in range(3)]

    def listed(shop: Shop, **request: Any) -> order_pb2.ListOrdersResponse:
        return shop.orders.ListOrders(order_pb2.ListOrdersRequest(**request), timeout=SECONDS)

    with services.customer(user) as ann:
        assert {one.order_id for one in listed(ann).orders} == set(mine)
        assert {one.order_id for one in listed(ann, user_id=user).orders} == set(mine)
        assert not listed(ann, user_id=victim).orders
        first = listed(ann, page_size=2)
        rest = listed(ann, page_size=2, page_token=first.next_page_token)
        assert [one.order_id for one in (*first.orders, *rest.orders)] == sorted(mine, reverse=True)
        for of_others in (listed(Shop(stack), user_id=victim, page_size=1), listed(Shop(stack), page_size=1)):
            token = of_others.next_page_token
            found = refusal(partial(listed, ann, page_token=token))
            assert (found.code, found.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])
    with services.operator() as everybody:
        seen = {one.order_id for one in listed(everybody, page_size=1000).orders}
        assert seen >= {*mine, *theirs}


def test_a_program_that_is_no_user_sees_no_orders_without_the_scope_for_all(services: Closed) -> None:
    for name in ("a-program", "7.0", "007"):
        with services.shop(services.issuer.token(name, "orders:read", "orders:write")) as shop:
            for call in ("CreateOrder", "GetOrder", "ListOrders", "CancelOrder", "WatchOrder"):
                found = refusal(calls(shop)[call])
                assert (found.code, found.reason) == (grpc.StatusCode.PERMISSION_DENIED, "NO_USER"), (name, call)


def test_the_history_names_who_the_token_says_whatever_the_request_says(services: Closed, operator: Shop) -> None:
    user = new_user()
    product = operator.product()
    with services.customer(user) as ann:
        order: order_pb2.Order = cancelled_in_time(ann, product, user)

    def asked_for() -> list[str]:
        return [event.reason for event in operator.saga(order).history if "because" in event.reason]

    def is_told() -> None:
        assert asked_for() == [f"{user} ({ISSUER}): because (as the boss)"]

    eventually(is_told)
    request = orchestrator_pb2.RetrySagaRequest(order_id=order.order_id, actor="somebody else", reason="because")
    operator.sagas.RetrySaga(request, timeout=SECONDS)
    assert asked_for()[1:] == [f"ops ({ISSUER}): because (as somebody else)"]


def cancelled_in_time(shop: Shop, product: int, user: int) -> order_pb2.Order:
    """Place orders until one can be asked to be cancelled before it is final."""

    def ask() -> order_pb2.Order:
        order = shop.place(product, user_id=user)
        try:
            return shop.cancel(order, actor="the boss", reason="because")
        except grpc.RpcError as error:
            raise AssertionError(error) from error

    return eventually(ask)


@pytest.mark.parametrize("method", ["WatchSagas", "CreateOrders"])
def test_a_stream_ends_when_its_token_expires(services: Closed, method: str) -> None:
    def open_list() -> Iterator[order_pb2.CreateOrdersRequest]:
        time.sleep(SECONDS)
        yield order_pb2.CreateOrdersRequest()

    with services.shop(services.issuer.token("ops", *OPERATOR, exp=time.time() + 3)) as shop:
        began = time.monotonic()
        if method == "WatchSagas":
            stream: Any = shop.sagas.WatchSagas(orchestrator_pb2.WatchSagasRequest(), timeout=SECONDS)
        else:
            stream = shop.orders.CreateOrders(open_list(), timeout=SECONDS)
        found: Refusal = refusal(partial(list, stream))
        assert (found.code, found.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED")
        assert time.monotonic() - began < SECONDS


def test_probes_need_no_token(services: Closed) -> None:
    for name in NAMES:
        assert services.service(name).ready()
