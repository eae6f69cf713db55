"""Participants that do not answer: asked again, given up before the pivot, never given up while undoing."""

from collections.abc import Iterator

import pytest
from ordersaga.messages import DecreaseProductCommand
from ordersaga.orchestrator.v1 import orchestrator_pb2 as saga_pb

from devstack.stack import Stack
from tests.support.hurry import hurried
from tests.support.kafka import send, taped
from tests.support.metrics import metric
from tests.support.registry import encode
from tests.support.shop import COMPLETED, Shop
from tests.support.stored_state import StoredState
from tests.support.wait import eventually

TIMED_OUT = saga_pb.SAGA_EVENT_TYPE_STEP_TIMED_OUT


@pytest.fixture
def hasty(breakable: Stack) -> Iterator[Stack]:
    with hurried(breakable):
        yield breakable


@pytest.mark.timeout(180)
def test_a_participant_that_is_away_for_long_has_the_order_cancelled_and_everything_undone(
    hasty: Stack, shop: Shop
) -> None:
    product = shop.product(stock=10)
    hasty.service("delivery_svc").stop()
    order = shop.place(product, quantity=3)

    def given_up() -> None:
        saga = shop.saga(order).saga
        assert saga.status == saga_pb.SAGA_STATUS_COMPENSATING
        assert saga.reason == "TIMED_OUT"

    eventually(given_up, 60)
    hasty.service("delivery_svc").start()
    ended = shop.final(order, 60)
    assert ended.cancel_reason == "TIMED_OUT"
    assert shop.stock(product) == 10
    assert shop.delivery(order) is None or shop.delivery(order).status != 1  # type: ignore[union-attr] # cancelled
    tried = [event.reason for event in shop.saga(order).history if event.type == TIMED_OUT]
    assert tried[:4] == [f"attempt {number} of 5" for number in range(1, 5)]
    assert tried[4] == "attempt 5 of 5, given up"
    StoredState(hasty, [ended]).must_agree()


@pytest.mark.timeout(120)
def test_a_participant_that_is_away_for_a_moment_is_asked_again_and_the_order_completes(
    hasty: Stack, shop: Shop
) -> None:
    product = shop.product(stock=10)
    hasty.service("product_svc").stop()
    order = shop.place(product)

    def asked_again() -> None:
        assert shop.saga(order).saga.attempt >= 3

    eventually(asked_again, 30)
    hasty.service("product_svc").start()
    assert shop.final(order, 60).status == COMPLETED
    assert shop.stock(product) == 9


@pytest.mark.timeout(120)
def test_a_command_that_comes_after_its_own_undo_is_refused_and_counted(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=5)
    ended = shop.final(shop.place(product, quantity=2, address="PO Box 1"))
    assert ended.cancel_reason == "UNDELIVERABLE_ADDRESS"
    late = DecreaseProductCommand(order_id=ended.order_id, product_id=product, quantity=2, price=ended.price)
    encoded = encode(stack.registry_url, late)
    product_metrics = stack.service("product_svc").metrics
    saga_metrics = stack.service("orchestrator_svc").metrics
    refused = metric(product_metrics, "ordersaga_decreases_answered_total", answer="UNDONE")
    ignored = metric(saga_metrics, "sagakit_saga_messages_total", fit="late_reply")
    with taped(stack.bootstrap, "product-decreased") as tape:
        send(stack.bootstrap, encoded.topic, encoded.key, encoded.value, dict(encoded.headers))
        tape.until(1, key=encoded.key)

    def counted() -> None:
        assert metric(product_metrics, "ordersaga_decreases_answered_total", answer="UNDONE") == refused + 1
        assert metric(saga_metrics, "sagakit_saga_messages_total", fit="late_reply") == ignored + 1

    eventually(counted)
    assert shop.stock(product) == 5
    assert shop.order(ended.order_id) == ended
