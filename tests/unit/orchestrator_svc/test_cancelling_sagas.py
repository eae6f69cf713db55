"""A saga that an operator has undone: up to the pivot it is, later it is too late."""

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.errors import Refused
from sagakit.saga.instance import EventType, Status
from tests.unit.orchestrator_svc.conversation import Conversation
from tests.unit.orchestrator_svc.messages import (
    CREATED,
    DECREASED,
    DELIVERED,
    INCREASE,
    INCREASED,
    UNDELIVER,
    UNDELIVERED,
    cancel_with,
    refused_delivery,
)


@pytest.fixture
def order() -> Conversation:
    return Conversation(ORDER_SAGA).hears(CREATED)


def test_before_the_first_reply_every_step_is_undone_too(order: Conversation) -> None:
    """The saga may have come further than its database remembers."""
    order.is_cancelled("bob: fraud").expects(UNDELIVER).replies(UNDELIVERED)
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with("CANCEL_REQUESTED"), Status.COMPENSATED)
    assert order.told(EventType.CANCEL_ACCEPTED) == ["bob: fraud"]


def test_while_delivering_both_steps_are_undone(order: Conversation) -> None:
    order.replies(DECREASED).is_cancelled("bob: fraud")
    order.expects(UNDELIVER).replies(UNDELIVERED)
    order.expects(INCREASE).replies(INCREASED)
    order.ends_with(cancel_with("CANCEL_REQUESTED"), Status.COMPENSATED)


def test_a_completed_saga_cannot_be_cancelled_and_is_not_changed(order: Conversation) -> None:
    order.replies(DECREASED).replies(DELIVERED)
    before = order.instance
    with pytest.raises(Refused, match="is COMPLETED") as caught:
        order.is_cancelled("bob: fraud")
    assert caught.value.reason == "TOO_LATE"
    assert order.instance == before


def test_what_is_being_undone_already_stays_as_it_is(order: Conversation) -> None:
    order.replies(DECREASED).replies(refused_delivery("UNDELIVERABLE_ADDRESS"))
    before = order.instance
    assert order.is_cancelled("bob: fraud").instance == before
    order.replies(INCREASED).is_cancelled("bob: fraud")
    order.ends_with(cancel_with("UNDELIVERABLE_ADDRESS"), Status.COMPENSATED)
