"""Orders whose announcement was lost: order_svc announces them again, and they end as usual."""

from collections.abc import Iterator

import pytest
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from sagakit.dead_letters.box import DeadLetterBox
from tests.support import trust
from tests.support.metrics import metric
from tests.support.shop import CANCELLED, COMPLETED, PENDING, Shop
from tests.support.sql import count, query
from tests.support.wait import eventually

QUICK = {"ANNOUNCE_AFTER_SECONDS": "1", "ANNOUNCE_INTERVAL_SECONDS": "0.2"}
BACK_SECONDS = 90.0
"""Kafka, and then every consumer, has to come back first."""

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def forgetful(breakable: Stack) -> Iterator[Stack]:
    """The stack with an order service that announces again after a second, and without Kafka."""
    service = breakable.service("order_svc")
    service.stop()
    service.start(extra_env=QUICK)
    breakable.kafka.stop()
    yield breakable
    service.stop()


def lose_outbox(stack: Stack, orders: list[order_pb2.Order]) -> None:
    """Have the order service lose its unpublished messages about ``orders``: in memory and in its outbox."""
    service = stack.service("order_svc")
    service.kill()
    for order in orders:
        query(service.dsn, "DELETE FROM outbox WHERE key = %s", str(order.order_id).encode())
    assert count(service.dsn, "SELECT count(*) FROM outbox") == 0
    stack.kafka.start()
    service.start(extra_env=QUICK)


def test_an_order_whose_announcement_was_lost_is_announced_again_and_ends(forgetful: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    orders = [shop.place(product) for _ in range(5)]
    lose_outbox(forgetful, orders)
    assert {order.status for order in shop.finals(orders, BACK_SECONDS)} == {COMPLETED}
    assert shop.stock(product) == 5
    assert metric(forgetful.service("order_svc").metrics, "ordersaga_orders_announced_total") >= 5


def test_a_cancel_that_was_lost_with_its_order_is_announced_again_too(forgetful: Stack, shop: Shop) -> None:
    product = shop.product(stock=10)
    order = shop.place(product)
    asked = shop.cancel(order, actor="Ada", reason="never mind")
    assert asked.status == PENDING
    lose_outbox(forgetful, [order])
    final = shop.final(order, BACK_SECONDS)
    assert (final.status, final.cancel_reason) == (CANCELLED, "CANCEL_REQUESTED")
    assert shop.stock(product) == 10
    assert shop.delivery(order) is None


def test_an_order_whose_id_was_given_before_is_one_dead_letter_however_often_it_is_announced(
    stack: Stack, shop: Shop
) -> None:
    order = shop.final(shop.place(shop.product()))
    dsn, metrics = stack.service("order_svc").dsn, stack.service("orchestrator_svc").metrics
    before = metric(metrics, "sagakit_dead_letters_total", reason="REUSED_ID")
    other = "UPDATE orders SET status = 'PENDING', quantity = 7, announce_time = now() WHERE order_id = %s"
    query(dsn, other, order.order_id)  # as if its id had been given to this one after a restore

    def parked(times: int) -> None:
        assert metric(metrics, "sagakit_dead_letters_total", reason="REUSED_ID") == before + times

    with DeadLetterBox(trust.kafka(stack.bootstrap), "orchestrator_svc") as box:
        for times in (1, 2, 3):
            eventually(lambda times=times: parked(times), 60)  # type: ignore[misc] # bound now
            query(dsn, other, order.order_id)
        query(dsn, "UPDATE orders SET status = 'COMPLETED', quantity = 1 WHERE order_id = %s", order.order_id)
        (letter,) = [one for one in box.letters() if one.source_key == str(order.order_id).encode()]
        assert letter.reason == "REUSED_ID"
        box.drop(letter)
    assert shop.saga(order).saga.pending_command == "CompleteOrderCommand"
