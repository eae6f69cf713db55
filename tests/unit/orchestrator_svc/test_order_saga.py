"""The order saga, told as conversations. What holds of any saga stands in tests/unit/sagakit/saga."""

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.saga import minutes
from sagakit.saga.instance import EventType, Status
from sagakit.testing import Conversation
from tests.unit.orchestrator_svc.messages import (
    CANCEL,
    COMPLETE,
    CREATED,
    DECREASE,
    DECREASED,
    DELIVER,
    DELIVERED,
    INCREASE,
    INCREASED,
    UNDELIVER,
    UNDELIVERED,
    cancel_with,
    refused_delivery,
    refused_stock,
)


@pytest.fixture
def order() -> Conversation:
    return Conversation(ORDER_SAGA)


@pytest.fixture
def delivering(order: Conversation) -> Conversation:
    return order.hears(CREATED).replies(DECREASED).expects(DELIVER)


def is_undone(order: Conversation, reason: str) -> None:
    order.expects(UNDELIVER).replies(UNDELIVERED)
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with(reason), Status.COMPENSATED)


def test_every_step_done_completes_the_order(order: Conversation) -> None:
    order.hears(CREATED)
    order.expects(DECREASE).replies(DECREASED)
    order.expects(DELIVER).replies(DELIVERED)
    order.ends_with(COMPLETE, Status.COMPLETED)


def test_refused_stock_cancels_the_order_with_nothing_to_undo(order: Conversation) -> None:
    order.hears(CREATED)
    order.expects(DECREASE).replies(refused_stock("OUT_OF_STOCK"))
    order.ends_with(cancel_with("OUT_OF_STOCK"), Status.COMPENSATED)


def test_a_refused_delivery_gives_the_stock_back(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS"))
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("UNDELIVERABLE_ADDRESS"), Status.COMPENSATED)


def test_pieces_that_are_taken_after_all_are_given_back(order: Conversation) -> None:
    order.hears(CREATED).replies(refused_stock("OUT_OF_STOCK")).hears(DECREASED)
    assert order.also == [INCREASE]


def test_a_delivery_that_is_made_after_all_is_cancelled(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS")).hears(DELIVERED)
    assert delivering.also == [UNDELIVER]
    delivering.expects(INCREASE)


def test_a_cancel_while_delivering_undoes_both_steps_in_reverse_order(delivering: Conversation) -> None:
    is_undone(delivering.hears(CANCEL), "CANCEL_REQUESTED")
    assert delivering.reasons(EventType.CANCEL_ACCEPTED) == ["ann: changed my mind"]


def test_a_cancel_of_a_saga_never_heard_of_undoes_every_step(order: Conversation) -> None:
    """It carries the whole order, which may come later, and is then the same."""
    is_undone(order.hears(CANCEL).expects(UNDELIVER).hears(CREATED), "CANCEL_REQUESTED")


def test_a_cancel_after_the_delivery_changes_nothing(delivering: Conversation) -> None:
    delivering.replies(DELIVERED).hears(CANCEL).ends_with(COMPLETE, Status.COMPLETED)


def test_an_order_that_nobody_delivers_is_cancelled_within_half_an_hour(delivering: Conversation) -> None:
    delivering.clock.advance(minutes(15))
    delivering.expects(DELIVER)
    delivering.clock.advance(minutes(15))
    is_undone(delivering, "TIMED_OUT")


def test_stock_is_given_back_whenever_product_svc_comes_back(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS"))
    delivering.clock.advance(minutes(24 * 60))
    assert delivering.instance.stuck, "somebody is called to look"
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("UNDELIVERABLE_ADDRESS"), Status.COMPENSATED)
