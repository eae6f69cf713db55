"""Placing orders list by list: each order is answered as if it had come alone, and nothing piles up."""

import queue
import time
import uuid
from collections.abc import Iterable, Iterator

import grpc
import psycopg
import pytest
from ordersaga.order.v1.order_pb2 import CreateOrderRequest, CreateOrderResult, CreateOrdersRequest, Order

from devstack.stack import Stack
from tests.support.rpc import Refusal, code_of, refusal_in, refusal_of
from tests.support.shop import CANCELLED, COMPLETED, PENDING, PRICE, Shop, new_user
from tests.support.sql import count
from tests.support.wait import eventually

MOST = 500
"""Orders in a list."""


def order(product: int, **other: object) -> CreateOrderRequest:
    good: dict[str, object] = {"user_id": 1, "product_id": product, "quantity": 1, "price": PRICE}
    return CreateOrderRequest(**{**good, **other})  # type: ignore[arg-type] # by name


def answers(shop: Shop, *lists: Iterable[CreateOrderRequest]) -> list[list[CreateOrderResult]]:
    """Stream ``lists`` and return the results of each."""
    requests = iter([CreateOrdersRequest(orders=orders) for orders in lists])
    return [list(answer.results) for answer in shop.orders.CreateOrders(requests, timeout=30)]


def placed(results: Iterable[CreateOrderResult]) -> list[Order]:
    """Return the orders of a list that is to be stored whole."""
    results = list(results)
    assert [result.error for result in results if result.HasField("error")] == []
    return [result.order for result in results]


def refused(result: CreateOrderResult) -> Refusal:
    assert result.HasField("error"), result
    return refusal_in(result.error)


def stored(stack: Stack, user: int) -> int:
    return count(stack.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE user_id = %s", user)


def test_each_order_of_each_list_is_answered_in_its_place_and_goes_through_its_saga(shop: Shop) -> None:
    product = shop.product(stock=1000)
    lists = [[order(product, quantity=1 + i % 3, address=f"Street {at}/{i}") for i in range(50)] for at in range(3)]
    orders = [placed(results) for results in answers(shop, *lists)]
    assert [[one.address for one in each] for each in orders] == [[one.address for one in each] for each in lists]
    assert {one.status for each in orders for one in each} == {PENDING}
    ended = shop.finals([one for each in orders for one in each], 30)
    assert {one.status for one in ended} == {COMPLETED}
    assert shop.stock(product) == 1000 - sum(one.quantity for each in lists for one in each)


def test_a_list_is_stored_by_the_time_it_is_answered_while_the_stream_goes_on(stack: Stack, shop: Shop) -> None:
    product, user = shop.product(), new_user()
    requests: queue.SimpleQueue[CreateOrdersRequest | None] = queue.SimpleQueue()
    stream = iter(shop.orders.CreateOrders(iter(requests.get, None), timeout=30))
    for sent in (3, 6):
        requests.put(CreateOrdersRequest(orders=[order(product, user_id=user)] * 3))
        assert len(placed(next(stream).results)) == 3
        assert stored(stack, user) == sent
    requests.put(None)
    assert list(stream) == []


def test_a_list_may_be_as_long_as_the_longest_group(stack: Stack, shop: Shop) -> None:
    user = new_user()
    (results,) = answers(shop, [order(1, user_id=user, address="\U0001f4a5" * 500)] * MOST)
    assert len({one.order_id for one in placed(results)}) == MOST == stored(stack, user)


def test_an_order_that_breaks_a_rule_is_refused_alone(stack: Stack, shop: Shop) -> None:
    product, user = shop.product(stock=10), new_user()
    good = order(product, user_id=user)
    bad = [
        order(product, user_id=user, quantity=0),
        order(product, user_id=user, address="Main\0Street"),
        order(product, user_id=user, request_id="not-a-uuid"),
        CreateOrderRequest(price=-1),
    ]
    first, *refusals, last = answers(shop, [good, *bad, good])[0]
    assert [sorted(refused(one).fields) for one in refusals] == [
        ["quantity"],
        ["address"],
        ["request_id"],
        ["price", "product_id", "quantity", "user_id"],
    ]
    for one in map(refused, refusals):
        assert (one.code, one.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert {one.status for one in shop.finals(placed([first, last]), 20)} == {COMPLETED}
    assert (stored(stack, user), shop.stock(product)) == (2, 8)


def test_a_list_of_bad_orders_alone_is_answered_and_the_stream_goes_on(shop: Shop) -> None:
    bad, good = answers(shop, [CreateOrderRequest()] * 2, [order(shop.product())])
    assert [refused(one).code for one in bad] == [grpc.StatusCode.INVALID_ARGUMENT] * 2
    assert len(placed(good)) == 1


def test_an_order_that_its_saga_refuses_does_not_matter_to_those_beside_it(shop: Shop) -> None:
    product = shop.product(stock=10)
    (results,) = answers(shop, [order(product), order(product, price=PRICE + 1), order(product)])
    ended = shop.finals(placed(results), 20)
    assert [one.status for one in ended] == [COMPLETED, CANCELLED, COMPLETED]


def test_lists_that_are_sent_again_give_the_same_orders(stack: Stack, shop: Shop) -> None:
    product, user = shop.product(), new_user()
    lists = [[order(product, user_id=user, request_id=str(uuid.uuid4())) for _ in range(10)] for _ in range(2)]
    first, again = answers(shop, *lists), answers(shop, *lists)
    assert [[one.order_id for one in placed(results)] for results in again] == [
        [one.order_id for one in placed(results)] for results in first
    ]
    assert stored(stack, user) == 20


def test_in_lists_and_beside_them_a_request_id_stands_for_one_order(stack: Stack, shop: Shop) -> None:
    product, user, request_id = shop.product(), new_user(), str(uuid.uuid4())
    alone = shop.place(product, user_id=user, address="", request_id=request_id)
    known = order(product, user_id=user, request_id=request_id.upper())
    new = order(product, user_id=user, request_id=str(uuid.uuid4()))
    other = order(product, user_id=user, quantity=2, request_id=new.request_id)
    results = answers(shop, [known, new, new, other])[0]
    (one, two, three) = placed(results[:3])
    assert one.order_id == alone.order_id
    assert two.order_id == three.order_id != alone.order_id
    conflict = refused(results[3])
    assert (conflict.code, conflict.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert stored(stack, user) == 2


@pytest.mark.parametrize("length", [0, MOST + 1])
def test_a_list_of_no_or_too_many_orders_ends_the_stream_and_what_was_answered_holds(
    stack: Stack, shop: Shop, length: int
) -> None:
    user = new_user()
    lists = [[order(1, user_id=user)] * 2, [order(1, user_id=user)] * length, [order(1, user_id=user)]]
    requests = [CreateOrdersRequest(orders=orders) for orders in lists]
    stream = iter(shop.orders.CreateOrders(iter(requests), timeout=10))
    assert len(placed(next(stream).results)) == 2
    with pytest.raises(grpc.RpcError) as caught:
        next(stream)
    ended = refusal_of(caught.value)
    assert (ended.code, ended.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["orders"])
    assert stored(stack, user) == 2


def test_a_caller_faster_than_the_store_is_held_back_and_then_served(stack: Stack, shop: Shop) -> None:
    user, lists = new_user(), 200
    same = order(1, user_id=user, address="x" * 500, request_id=str(uuid.uuid4()))
    quarter_of_a_megabyte = CreateOrdersRequest(orders=[same] * MOST)
    sent = 0

    def requests() -> Iterator[CreateOrdersRequest]:
        nonlocal sent
        for _ in range(lists):
            sent += 1
            yield quarter_of_a_megabyte

    def stands_still() -> int:
        before = sent
        time.sleep(1)
        assert sent == before
        return sent

    with psycopg.connect(stack.service("order_svc").dsn) as connection:
        connection.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        stream = shop.orders.CreateOrders(requests(), timeout=60)
        assert eventually(stands_still, 20) < lists, "what is not stored piles up"
    assert [len(placed(answer.results)) for answer in stream] == [MOST] * lists
    assert stored(stack, user) == 1


def test_a_caller_that_hangs_up_leaves_nothing_of_the_lists_not_begun(stack: Stack, shop: Shop) -> None:
    waiting, hasty = new_user(), new_user()
    with psycopg.connect(stack.service("order_svc").dsn) as connection:
        connection.execute("LOCK TABLE orders IN EXCLUSIVE MODE")
        waits = shop.orders.CreateOrder.future(order(1, user_id=waiting), timeout=20)
        time.sleep(0.3)  # its transaction has begun, and waits for the lock
        requests = iter([CreateOrdersRequest(orders=[order(1, user_id=hasty)] * 5)])
        with pytest.raises(grpc.RpcError) as caught:
            list(shop.orders.CreateOrders(requests, timeout=0.5))
        assert code_of(caught.value) is grpc.StatusCode.DEADLINE_EXCEEDED
    assert waits.result().order.status == PENDING
    shop.place(1)  # whatever was waiting has had its turn
    assert (stored(stack, waiting), stored(stack, hasty)) == (1, 0)
