"""Lists and histories of the longest texts: page by page, each page within what a client takes."""

import uuid
from collections.abc import Iterator
from itertools import pairwise

import grpc
import psycopg
import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.support.rpc import refusal
from tests.support.shop import Shop

BOMB = "\U0001f4a5"
MANY = 1000
EVENTS = 2500
FIRST = 2**50
"""Ids that no order gets."""
MAKE_ORDERS = """
    INSERT INTO orders (order_id, user_id, product_id, quantity, price, address, request_id, announce_time, status,
                        cancel_reason)
    SELECT nextval('orders_order_id_seq'), %s, 1, 1, 1, repeat(%s, 500), NULL, now(), 'CANCELLED', repeat(%s, 100)
    FROM generate_series(1, %s)
"""
MAKE_SAGAS = """
    INSERT INTO sagas SELECT n, start, 'COMPENSATED', NULL, repeat(%s, 100), 1, NULL, NULL, false, repeat(%s, 1000), 9,
        create_time, update_time
    FROM (SELECT * FROM sagas ORDER BY saga_id DESC LIMIT 1) AS one, generate_series(%s, %s) AS n
"""
MAKE_EVENTS = """
    INSERT INTO saga_events (saga_id, version, create_time, type, step, reason, message_id)
    SELECT %s, n, now(), 'RETRIED', NULL, repeat(%s, 602), '' FROM generate_series(1, %s) AS n
"""


@pytest.fixture(scope="module")
def sagas_of(stack: Stack) -> Iterator[range]:
    """A thousand sagas that have ended, with the longest reasons, of which the first has a long history."""
    shop = Shop(stack)
    shop.final(shop.place(shop.product()))
    shop.close()
    ids = range(FIRST, FIRST + MANY)
    with psycopg.connect(stack.service("orchestrator_svc").dsn, autocommit=True) as connection:
        connection.execute(MAKE_SAGAS, (BOMB, BOMB, ids[0], ids[-1]))
        connection.execute(MAKE_EVENTS, (FIRST, BOMB, EVENTS))
        try:
            yield ids
        finally:
            connection.execute("DELETE FROM sagas WHERE saga_id >= %s", (FIRST,))
            connection.execute("DELETE FROM saga_events WHERE saga_id >= %s", (FIRST,))


def test_orders_with_the_longest_texts_are_listed_page_by_page(stack: Stack, shop: Shop) -> None:
    user = uuid.uuid4().int >> 70
    with psycopg.connect(stack.service("order_svc").dsn, autocommit=True) as connection:
        connection.execute(MAKE_ORDERS, (user, BOMB, BOMB, MANY))
    request = order_pb2.ListOrdersRequest(page_size=MANY, user_id=user)
    seen: list[int] = []
    while not seen or request.page_token:
        page = shop.orders.ListOrders(request, timeout=30)
        seen += [order.order_id for order in page.orders]
        request.page_token = page.next_page_token
    assert len(seen) == MANY
    assert all(newer > older for newer, older in pairwise(seen))


def test_sagas_with_the_longest_texts_are_listed_page_by_page(shop: Shop, sagas_of: range) -> None:
    request = orchestrator_pb2.ListSagasRequest(
        page_size=MANY, status=orchestrator_pb2.SagaStatus.SAGA_STATUS_COMPENSATED
    )
    seen: list[int] = []
    while len(seen) < MANY:
        page = shop.sagas.ListSagas(request, timeout=30)
        seen += [saga.order_id for saga in page.sagas]
        request.page_token = page.next_page_token
    assert seen[:MANY] == list(reversed(sagas_of))


def test_a_bulk_action_does_as_much_as_fits_into_its_answer_and_says_that_there_is_more(
    shop: Shop, sagas_of: range
) -> None:
    left, seen = list(sagas_of), []
    while left:
        answer = shop.sagas.CancelSagas(
            orchestrator_pb2.CancelSagasRequest(
                filter=orchestrator_pb2.SagaFilter(order_ids=left), actor="ann", reason="all of them", limit=MANY
            ),
            timeout=30,
        )
        done = [result.order_id for result in answer.results]
        assert answer.more == (len(done) < len(left))
        seen += done
        left = left[len(done) :]
    assert seen == list(sagas_of)


def test_a_long_history_is_read_page_by_page_from_its_newest_events(shop: Shop, sagas_of: range) -> None:
    first = shop.sagas.GetSaga(orchestrator_pb2.GetSagaRequest(order_id=sagas_of[0]), timeout=30)
    assert [event.version for event in first.history] == list(range(EVENTS - 99, EVENTS + 1)), "newest, oldest first"
    request = orchestrator_pb2.GetSagaRequest(order_id=sagas_of[0], history_page_size=1000)
    versions: list[int] = []
    while not versions or request.history_page_token:
        page = shop.sagas.GetSaga(request, timeout=30)
        assert page.saga == first.saga
        versions[:0] = [event.version for event in page.history]
        request.history_page_token = page.next_history_page_token
    assert versions == list(range(1, EVENTS + 1))


def test_a_history_token_belongs_to_one_order(shop: Shop, sagas_of: range) -> None:
    token = shop.sagas.GetSaga(orchestrator_pb2.GetSagaRequest(order_id=sagas_of[0])).next_history_page_token
    for order_id, given in ((sagas_of[1], token), (sagas_of[0], "rubbish")):
        request = orchestrator_pb2.GetSagaRequest(order_id=order_id, history_page_token=given)
        refused = refusal(lambda asked=request: shop.sagas.GetSaga(asked))  # type: ignore[misc] # mypy knows no defaults
        assert (refused.code, refused.fields) == (grpc.StatusCode.INVALID_ARGUMENT, ["history_page_token"])


def test_deliveries_to_the_longest_addresses_are_listed_page_by_page(stack: Stack, shop: Shop) -> None:
    with psycopg.connect(stack.service("delivery_svc").dsn, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO deliveries (order_id, delivery_id, user_id, address, status)
               SELECT n, n, 1, repeat(%s, 500), 'CANCELLED' FROM generate_series(%s, %s) AS n""",
            (BOMB, FIRST, FIRST + 2 * MANY),
        )
        try:
            request = delivery_pb2.ListDeliveriesRequest(page_size=MANY)
            page = shop.deliveries.ListDeliveries(request, timeout=30)
        finally:
            connection.execute("DELETE FROM deliveries WHERE order_id >= %s", (FIRST,))
    assert len(page.deliveries) == MANY
