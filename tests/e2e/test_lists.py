"""Lists: filtered, page by page, each token for its own list alone."""

import base64
from datetime import timedelta

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from tests.support.rpc import refusal
from tests.support.shop import CANCELLED, COMPLETED, Shop, new_user


def orders(shop: Shop, **request: object) -> order_pb2.ListOrdersResponse:
    return shop.orders.ListOrders(order_pb2.ListOrdersRequest(**request), timeout=10)  # type: ignore[arg-type] # by name


def sagas(shop: Shop, **request: object) -> orchestrator_pb2.ListSagasResponse:
    return shop.sagas.ListSagas(orchestrator_pb2.ListSagasRequest(**request), timeout=10)  # type: ignore[arg-type] # by name


def test_a_users_orders_come_page_by_page_the_newest_first(shop: Shop) -> None:
    product, user = shop.product(), new_user()
    placed = [shop.place(product, user_id=user).order_id for _ in range(5)]
    shop.place(product, user_id=new_user())
    pages, token = [], ""
    while True:
        page = orders(shop, user_id=user, page_size=2, page_token=token)
        pages.append([order.order_id for order in page.orders])
        token = page.next_page_token
        if not token:
            break
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [order_id for page in pages for order_id in page] == placed[::-1]


def test_a_page_that_holds_exactly_all_is_the_last(shop: Shop) -> None:
    product, user = shop.product(), new_user()
    for _ in range(2):
        shop.place(product, user_id=user)
    assert orders(shop, user_id=user, page_size=2).next_page_token == ""


def test_orders_are_filtered_by_status(shop: Shop) -> None:
    product, user = shop.product(), new_user()
    good = shop.final(shop.place(product, user_id=user))
    bad = shop.final(shop.place(product, user_id=user, price=1))
    assert list(orders(shop, user_id=user, status=COMPLETED).orders) == [good]
    assert list(orders(shop, user_id=user, status=CANCELLED).orders) == [bad]


def test_a_page_is_never_larger_than_fifty_unless_asked_for(shop: Shop) -> None:
    product = shop.product()
    for _ in range(51):
        shop.place(product)
    page = orders(shop)
    assert len(page.orders) == 50
    assert page.next_page_token


def test_products_come_by_ascending_id(shop: Shop) -> None:
    shop.product()
    page = shop.products.ListProducts(product_pb2.ListProductsRequest(page_size=2))
    assert [product.product_id for product in page.products] == [1, 2]
    request = product_pb2.ListProductsRequest(page_size=2, page_token=page.next_page_token)
    assert [product.product_id for product in shop.products.ListProducts(request).products][:1] == [3]


def test_deliveries_come_the_newest_first_without_what_was_refused(shop: Shop) -> None:
    product = shop.product()
    placed = {shop.final(shop.place(product)).order_id for _ in range(3)}
    refused = shop.final(shop.place(product, address="PO Box 42")).order_id
    found: list[delivery_pb2.Delivery] = []
    token = ""
    while not placed <= {delivery.order_id for delivery in found}:
        request = delivery_pb2.ListDeliveriesRequest(
            page_size=2, status=delivery_pb2.DELIVERY_STATUS_SCHEDULED, page_token=token
        )
        page = shop.deliveries.ListDeliveries(request)
        assert len(page.deliveries) == 2
        found += page.deliveries
        token = page.next_page_token
    ids = [delivery.delivery_id for delivery in found]
    assert ids == sorted(set(ids), reverse=True)
    assert refused not in {delivery.order_id for delivery in found}


def test_sagas_are_filtered_by_status_step_stuck_and_age(shop: Shop) -> None:
    product = shop.product()
    good = shop.final(shop.place(product)).order_id
    bad = shop.final(shop.place(product, price=1)).order_id

    def found(**filters: object) -> set[int]:
        return {saga.order_id for saga in sagas(shop, page_size=1000, **filters).sagas} & {good, bad}

    assert found() == {good, bad}
    assert found(status=orchestrator_pb2.SAGA_STATUS_COMPLETED) == {good}
    assert found(status=orchestrator_pb2.SAGA_STATUS_COMPENSATED) == {bad}
    assert found(step="create-delivery") == set()
    assert found(stuck=False) == {good, bad}
    assert found(stuck=True) == set()
    assert found(min_age=_duration(hours=1)) == set()
    assert found(min_age=_duration(hours=0)) == {good, bad}


def _duration(*, hours: int) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(hours=hours))
    return duration


def test_a_token_is_good_for_its_own_list_and_filters_alone(shop: Shop) -> None:
    product, user = shop.product(), new_user()
    for _ in range(3):
        shop.final(shop.place(product, user_id=user))
    token = orders(shop, user_id=user, page_size=1).next_page_token
    assert orders(shop, user_id=user, page_size=2, page_token=token).orders
    elsewhere = [
        refusal(lambda: orders(shop, user_id=user + 1, page_token=token)),
        refusal(lambda: orders(shop, user_id=user, status=COMPLETED, page_token=token)),
        refusal(lambda: sagas(shop, page_token=token)),
        refusal(lambda: shop.products.ListProducts(product_pb2.ListProductsRequest(page_token=token))),
        refusal(lambda: shop.deliveries.ListDeliveries(delivery_pb2.ListDeliveriesRequest(page_token=token))),
    ]
    assert {(one.code, *one.fields) for one in elsewhere} == {(grpc.StatusCode.INVALID_ARGUMENT, "page_token")}


@pytest.mark.parametrize(
    "token",
    ["nonsense", "\N{SNOWMAN}", base64.urlsafe_b64encode(b"[1,2]").decode(), base64.urlsafe_b64encode(b"{}").decode()],
    ids=["nonsense", "snowman", "other-list", "object"],
)
def test_a_token_that_was_never_given_is_refused(shop: Shop, token: str) -> None:
    refused = refusal(lambda: orders(shop, page_token=token))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])


def test_a_page_of_negative_size_is_refused(shop: Shop) -> None:
    refused = refusal(lambda: orders(shop, page_size=-1))
    assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_size"])
