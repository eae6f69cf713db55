"""Placing orders: a repeated request places one order."""

import uuid
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from tests.support.rpc import code_of, refusal
from tests.support.shop import COMPLETED, Shop, new_user


def test_a_repeated_request_id_gives_the_same_order(shop: Shop) -> None:
    product, user, request_id = shop.product(stock=10), new_user(), str(uuid.uuid4())
    first = shop.place(product, user_id=user, request_id=request_id)
    shop.final(first)
    again = shop.place(product, user_id=user, request_id=request_id)
    assert (again.order_id, again.status) == (first.order_id, COMPLETED)
    assert shop.stock(product) == 9


def test_capitals_in_a_request_id_make_no_difference(shop: Shop) -> None:
    product, user, request_id = shop.product(), new_user(), str(uuid.uuid4())
    first = shop.place(product, user_id=user, request_id=request_id.lower())
    assert shop.place(product, user_id=user, request_id=request_id.upper()).order_id == first.order_id


def test_twenty_calls_at_once_with_one_request_id_place_one_order(shop: Shop) -> None:
    product, user, request_id = shop.product(stock=50), new_user(), str(uuid.uuid4())
    with ThreadPoolExecutor(20) as pool:
        orders = list(
            pool.map(lambda _: shop.place(product, user_id=user, quantity=2, request_id=request_id), range(20))
        )
    assert len({order.order_id for order in orders}) == 1
    shop.final(orders[0])
    assert shop.stock(product) == 48


@pytest.mark.parametrize(
    "other",
    [{"quantity": 2}, {"price": 501}, {"address": "Elm Street 13"}],
    ids=["quantity", "price", "address"],
)
def test_a_request_id_used_again_for_other_content_is_refused(shop: Shop, other: dict[str, object]) -> None:
    product, user, request_id = shop.product(), new_user(), str(uuid.uuid4())
    order = shop.place(product, user_id=user, request_id=request_id)
    refused = refusal(
        lambda: shop.place(product, user_id=user, request_id=request_id, **other)  # type: ignore[arg-type] # by name
    )
    assert refused.code is grpc.StatusCode.ALREADY_EXISTS
    assert refused.reason == "REQUEST_ID_REUSED"
    assert str(order.order_id) in refused.text


def test_in_one_group_a_request_id_with_two_contents_places_one_order(shop: Shop) -> None:
    product, user, request_id = shop.product(), new_user(), str(uuid.uuid4())

    def place(quantity: int) -> int | grpc.StatusCode:
        try:
            return shop.place(product, user_id=user, quantity=quantity, request_id=request_id).order_id
        except grpc.RpcError as error:
            return code_of(error)

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(place, [1, 2] * 10))
    assert {type(answer) for answer in answers} == {int, grpc.StatusCode}
    assert len({answer for answer in answers if isinstance(answer, int)}) == 1
    assert {answer for answer in answers if not isinstance(answer, int)} == {grpc.StatusCode.ALREADY_EXISTS}


def test_two_users_may_choose_the_same_request_id(shop: Shop) -> None:
    product, request_id = shop.product(), str(uuid.uuid4())
    orders = [shop.place(product, user_id=new_user(), request_id=request_id) for _ in range(2)]
    assert orders[0].order_id != orders[1].order_id


def test_without_a_request_id_every_call_is_an_order_of_its_own(shop: Shop) -> None:
    product, user = shop.product(), new_user()
    assert shop.place(product, user_id=user).order_id != shop.place(product, user_id=user).order_id


def test_a_hundred_orders_at_once_are_all_completed(shop: Shop) -> None:
    product = shop.product(stock=150)
    with ThreadPoolExecutor(50) as pool:
        orders = list(pool.map(lambda _: shop.place(product), range(100)))
    assert len({order.order_id for order in orders}) == 100
    assert {order.status for order in shop.finals(orders, 30)} == {COMPLETED}
    assert shop.stock(product) == 50
