"""The order saga, told as conversations."""

from dataclasses import replace

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.errors import Poison
from sagakit.records import Record
from sagakit.saga.instance import EventType, Status, remaining_steps
from sagakit.saga.transition import Fit
from tests.unit.orchestrator_svc.conversation import Conversation
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


def test_the_history_shows_each_step_with_its_message(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS")).replies(INCREASED)
    assert [(e.version, e.type, e.step, e.reason, e.message_id) for e in delivering.history] == [
        (1, EventType.STARTED, None, None, "message-1"),
        (2, EventType.STEP_DONE, "decrease-product", None, "message-2"),
        (3, EventType.STEP_REFUSED, "create-delivery", "UNDELIVERABLE_ADDRESS", "message-3"),
        (4, EventType.STEP_UNDONE, "decrease-product", None, "message-4"),
    ]


def test_a_repeated_start_is_answered_with_the_pending_command(delivering: Conversation) -> None:
    before = delivering.instance
    delivering.hears(CREATED)
    assert delivering.fits[-1] is Fit.REPEATED_START
    assert delivering.expects(DELIVER).instance == before


def test_a_repeated_start_after_the_end_is_answered_with_the_final_command(delivering: Conversation) -> None:
    delivering.replies(DELIVERED).hears(CREATED)
    delivering.ends_with(COMPLETE, Status.COMPLETED)


def test_a_reply_that_comes_twice_advances_once(delivering: Conversation) -> None:
    delivering.hears(DECREASED)
    assert delivering.fits[-1] is Fit.UNEXPECTED_REPLY
    delivering.expects(DELIVER)


@pytest.mark.parametrize("late", [DECREASED, DELIVERED])
def test_no_reply_changes_a_saga_that_has_ended(delivering: Conversation, late: object) -> None:
    delivering.replies(DELIVERED)
    ended = delivering.instance
    delivering.hears(late)  # type: ignore[arg-type] # every one is a record
    assert delivering.instance == ended
    assert delivering.fits[-1] is Fit.UNEXPECTED_REPLY


def test_a_late_success_does_not_stop_a_compensation(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS"))
    delivering.hears(DELIVERED)
    assert delivering.fits[-1] is Fit.LATE_REPLY
    delivering.expects(INCREASE)


def test_a_step_that_was_refused_and_is_done_after_all_is_undone(order: Conversation) -> None:
    order.hears(CREATED).replies(refused_stock("OUT_OF_STOCK"))
    order.hears(DECREASED)
    assert order.also == [INCREASE]
    order.hears(INCREASED)
    order.ends_with(cancel_with("OUT_OF_STOCK"), Status.COMPENSATED)


def test_a_refused_delivery_that_is_made_after_all_is_cancelled(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS")).hears(DELIVERED)
    assert delivering.also == [UNDELIVER]
    delivering.expects(INCREASE)


@pytest.mark.parametrize("late", [DECREASED, refused_stock("OUT_OF_STOCK"), refused_delivery("UNDONE")])
def test_what_a_pending_undo_undoes_or_was_refused_needs_no_other(delivering: Conversation, late: Record) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS")).hears(late)
    assert delivering.also == []


def test_an_order_id_used_again_for_other_content_is_poison(order: Conversation) -> None:
    order.hears(CREATED)
    with pytest.raises(Poison, match="other content") as caught:
        order.hears(replace(CREATED, quantity=4))
    assert caught.value.reason == "REUSED_ID"


def test_a_reply_to_a_saga_that_never_began_is_poison(order: Conversation) -> None:
    with pytest.raises(Poison) as caught:
        order.hears(DECREASED)
    assert caught.value.reason == "UNKNOWN_SAGA"


def test_a_cancel_before_the_first_reply_undoes_every_step_too(order: Conversation) -> None:
    """The saga may have come further than its database remembers."""
    order.hears(CREATED).hears(CANCEL)
    order.expects(UNDELIVER).replies(UNDELIVERED)
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with("CANCEL_REQUESTED"), Status.COMPENSATED)


def test_a_cancel_while_delivering_undoes_both_steps_in_reverse_order(delivering: Conversation) -> None:
    delivering.hears(CANCEL)
    delivering.expects(UNDELIVER).replies(UNDELIVERED)
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("CANCEL_REQUESTED"), Status.COMPENSATED)
    assert delivering.history[2].type is EventType.CANCEL_ACCEPTED
    assert delivering.history[2].reason == "ann: changed my mind"


def test_a_cancel_after_the_pivot_changes_nothing_but_is_remembered(delivering: Conversation) -> None:
    delivering.replies(DELIVERED).hears(CANCEL)
    delivering.ends_with(COMPLETE, Status.COMPLETED)
    assert delivering.history[-1].type is EventType.CANCEL_TOO_LATE


def test_a_cancel_of_a_saga_never_heard_of_undoes_every_step(order: Conversation) -> None:
    """It overtook its order; or the saga is forgotten, and its pieces are taken and its parcel is on the way."""
    order.hears(CANCEL).expects(UNDELIVER)
    order.hears(CREATED).expects(UNDELIVER).replies(UNDELIVERED)
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with("CANCEL_REQUESTED"), Status.COMPENSATED)
    assert order.fits[:2] == [Fit.ADVANCED, Fit.REPEATED_START]


def test_a_step_that_was_done_and_is_refused_later_has_the_saga_undone_up_to_the_pivot(
    delivering: Conversation,
) -> None:
    """Its participant's database went back, and what it forgot could not be done a second time."""
    delivering.hears(refused_stock("OUT_OF_STOCK")).expects(UNDELIVER).replies(UNDELIVERED)
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("OUT_OF_STOCK"), Status.COMPENSATED)


@pytest.mark.parametrize(
    "late", [refused_stock("OUT_OF_STOCK"), refused_delivery("UNDONE")], ids=["pieces", "delivery"]
)
def test_one_that_is_refused_once_the_saga_is_completed_is_marked_for_an_operator(
    delivering: Conversation, late: Record
) -> None:
    delivering.replies(DELIVERED).hears(late).hears(late)
    assert delivering.instance is not None
    assert delivering.instance.status is Status.COMPLETED
    assert delivering.instance.stuck
    assert "was done before, and is refused now" in (delivering.instance.last_error or "")
    assert delivering.told(EventType.STEP_REFUSED) == [delivering.instance.last_error], "once"


@pytest.mark.parametrize("undone", [INCREASED, UNDELIVERED], ids=["pieces", "delivery"])
def test_a_saga_that_was_to_be_undone_and_has_forgotten_it_is_undone(delivering: Conversation, undone: Record) -> None:
    """It had been given up, or an operator had cancelled it, before its database went back."""
    delivering.hears(undone).expects(UNDELIVER).replies(UNDELIVERED)
    delivering.expects(INCREASE).replies(INCREASED)
    delivering.ends_with(cancel_with("UNDONE"), Status.COMPENSATED)


@pytest.mark.parametrize("undone", [INCREASED, UNDELIVERED], ids=["pieces", "delivery"])
def test_one_that_hears_so_once_it_is_completed_is_marked_for_an_operator(
    delivering: Conversation, undone: Record
) -> None:
    delivering.replies(DELIVERED).hears(undone).hears(undone)
    assert delivering.instance is not None
    assert delivering.instance.status is Status.COMPLETED
    assert delivering.instance.stuck
    assert delivering.told(EventType.STEP_UNDONE) == [delivering.instance.last_error], "once"


def test_the_steps_that_remain_begin_with_the_pending_one(order: Conversation) -> None:
    def remaining() -> list[str]:
        assert order.instance is not None
        return remaining_steps(ORDER_SAGA, order.instance)

    order.hears(CREATED)
    assert remaining() == ["decrease-product", "create-delivery"]
    order.replies(DECREASED).hears(CANCEL)
    assert remaining() == ["create-delivery", "decrease-product"]
    order.replies(UNDELIVERED).replies(INCREASED)
    assert remaining() == []


def test_each_wait_has_a_deadline_and_the_end_has_none(order: Conversation) -> None:
    order.hears(CREATED)
    assert order.instance is not None
    assert order.instance.waiting_since == order.now
    assert order.instance.deadline == order.now + ORDER_SAGA.steps[0].timeout
    order.replies(refused_stock("PRICE_CHANGED"))
    assert order.instance is not None
    assert order.instance.waiting_since is None
    assert order.instance.deadline is None
