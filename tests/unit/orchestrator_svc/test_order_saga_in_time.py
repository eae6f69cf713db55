"""The order saga when nobody answers: it asks again, then undoes; and undoing is never given up."""

from datetime import timedelta

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.saga.instance import EventType, Status
from sagakit.saga.transition import Fit
from tests.unit.orchestrator_svc.conversation import Conversation
from tests.unit.orchestrator_svc.messages import (
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

ATTEMPTS = ORDER_SAGA.steps[0].retry.attempts


@pytest.fixture
def order() -> Conversation:
    return Conversation(ORDER_SAGA).hears(CREATED)


@pytest.fixture
def delivering(order: Conversation) -> Conversation:
    return order.replies(DECREASED).expects(DELIVER)


@pytest.fixture
def undoing(delivering: Conversation) -> Conversation:
    return delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS")).expects(INCREASE)


def test_silence_is_answered_by_asking_again(order: Conversation) -> None:
    order.hears_nothing().expects(DECREASE)
    assert order.fits[-1] is Fit.RESENT
    order.hears_nothing().expects(DECREASE).replies(DECREASED)
    order.expects(DELIVER)
    assert order.told(EventType.STEP_TIMED_OUT) == ["attempt 1 of 5", "attempt 2 of 5"]


def test_each_attempt_waits_about_twice_as_long_up_to_the_cap(order: Conversation) -> None:
    waits = []
    for _ in range(ATTEMPTS - 1):
        waits.append(order.wait_seconds)
        order.hears_nothing()
    assert waits[0] == pytest.approx(60, abs=0.01)
    for wait, doubled in zip(waits[1:], [120, 240, 480], strict=True):
        assert 0.8 * doubled <= wait <= 1.2 * doubled
    assert 0.8 * 600 <= order.wait_seconds <= 1.2 * 600


def test_the_wait_is_counted_from_the_first_attempt(order: Conversation) -> None:
    assert order.instance is not None
    began = order.instance.waiting_since
    order.hears_nothing(3)
    assert order.instance.waiting_since == began
    assert order.instance.attempt == 4
    assert order.instance.last_error == "no reply to DecreaseProductCommand, attempt 3 of 5"


def test_used_up_attempts_undo_the_first_step_too_though_it_may_never_have_been_done(order: Conversation) -> None:
    order.hears_nothing(ATTEMPTS)
    assert order.fits[-1] is Fit.GAVE_UP
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with("TIMED_OUT"), Status.COMPENSATED)
    assert order.told(EventType.STEP_TIMED_OUT)[-1] == "attempt 5 of 5, given up"


def test_used_up_attempts_at_the_pivot_undo_both_steps_in_reverse_order(delivering: Conversation) -> None:
    delivering.hears_nothing(ATTEMPTS)
    delivering.expects(UNDELIVER).replies(UNDELIVERED)
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("TIMED_OUT"), Status.COMPENSATED)


def test_a_reply_after_the_saga_gave_up_does_not_bring_it_back(delivering: Conversation) -> None:
    delivering.hears_nothing(ATTEMPTS).hears(DELIVERED)
    assert delivering.fits[-1] is Fit.LATE_REPLY
    delivering.expects(UNDELIVER)


def test_a_late_refusal_of_the_step_being_undone_changes_nothing(order: Conversation) -> None:
    order.hears_nothing(ATTEMPTS).hears(refused_stock("OUT_OF_STOCK"))
    assert order.fits[-1] is Fit.LATE_REPLY
    order.expects(INCREASE)


def test_two_replies_to_two_attempts_advance_once(order: Conversation) -> None:
    order.hears_nothing().replies(DECREASED).hears(DECREASED)
    assert order.fits[-1] is Fit.UNEXPECTED_REPLY
    order.expects(DELIVER)


def test_undoing_is_never_given_up_but_an_operator_is_called(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS - 1)
    assert not undoing.stuck
    undoing.hears_nothing()
    assert undoing.stuck
    undoing.hears_nothing(20).expects(INCREASE)
    assert undoing.stuck
    assert undoing.fits[-1] is Fit.STUCK
    assert 0.8 * 600 <= undoing.wait_seconds <= 1.2 * 600
    assert undoing.told(EventType.STUCK) == ["attempt 5 of 5"]


def test_a_stuck_saga_goes_on_when_the_reply_comes_after_all(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS + 3).replies(INCREASED)
    assert not undoing.stuck
    undoing.ends_with(cancel_with("UNDELIVERABLE_ADDRESS"), Status.COMPENSATED)


def test_an_operator_has_a_stuck_saga_ask_again_with_all_its_attempts(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS).is_retried("ann: product_svc is back")
    assert not undoing.stuck
    assert undoing.instance is not None
    assert undoing.instance.attempt == 1
    assert undoing.wait_seconds == pytest.approx(60)
    undoing.expects(INCREASE).hears_nothing(ATTEMPTS - 1)
    assert not undoing.stuck
    assert undoing.told(EventType.RETRIED) == ["ann: product_svc is back"]


def test_a_retry_of_a_saga_that_has_ended_sends_its_final_command_once(delivering: Conversation) -> None:
    delivering.replies(DELIVERED).is_retried("ann: the order is still pending")
    delivering.ends_with(COMPLETE, Status.COMPLETED)
    assert delivering.fits[-1] is Fit.RESENT
    assert delivering.instance is not None
    assert delivering.instance.deadline is None


def test_versions_only_grow(order: Conversation) -> None:
    order.hears_nothing(2).replies(DECREASED).is_retried("ann").hears_nothing(ATTEMPTS).replies(UNDELIVERED)
    versions = [line.version for line in order.history]
    assert versions == sorted(set(versions))


def test_a_scaled_saga_waits_in_proportion() -> None:
    step = ORDER_SAGA.scaled(0.5).steps[1]
    assert step.timeout == timedelta(seconds=30)
    assert step.retry.cap == timedelta(minutes=5)
    assert step.retry.attempts == ORDER_SAGA.steps[1].retry.attempts
