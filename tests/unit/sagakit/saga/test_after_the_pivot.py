"""What follows the pivot only goes forward: told with the order saga whose first step is made the pivot."""

from dataclasses import replace

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.errors import Refused
from sagakit.saga.advance import advance
from sagakit.saga.instance import EventType, Status
from sagakit.saga.transition import Fit
from tests.unit.orchestrator_svc.conversation import Conversation
from tests.unit.orchestrator_svc.messages import (
    CANCEL,
    COMPLETE,
    CREATED,
    DECREASED,
    DELIVER,
    DELIVERED,
    refused_delivery,
)

FIRST, SECOND = ORDER_SAGA.steps
ATTEMPTS = SECOND.retry.attempts
PIVOT_FIRST = replace(ORDER_SAGA, steps=(replace(FIRST, pivot=True), replace(SECOND, pivot=False)))


@pytest.fixture
def delivering() -> Conversation:
    return Conversation(PIVOT_FIRST).hears(CREATED).replies(DECREASED).expects(DELIVER)


def test_used_up_attempts_make_it_stuck_and_it_goes_on_asking(delivering: Conversation) -> None:
    delivering.hears_nothing(ATTEMPTS + 5).expects(DELIVER)
    assert delivering.stuck
    delivering.replies(DELIVERED).ends_with(COMPLETE, Status.COMPLETED)


def test_a_refusal_makes_it_stuck_at_once_and_it_is_asked_again_in_time(delivering: Conversation) -> None:
    delivering.replies(refused_delivery("UNDELIVERABLE_ADDRESS"))
    assert delivering.stuck
    assert delivering.fits[-1] is Fit.REFUSED_AFTER_PIVOT
    delivering.hears_nothing().expects(DELIVER)
    assert delivering.stuck


def test_a_step_that_was_refused_is_not_asked_again_at_once(delivering: Conversation) -> None:
    """It would be refused at once, and so on without end."""
    refused = advance(PIVOT_FIRST, delivering.instance, refused_delivery("NO_COURIER"), "a message", delivering.now)
    assert not refused.send
    again = advance(PIVOT_FIRST, refused.saga, CREATED, "a message", delivering.now)
    assert again.send, "but whoever asks is answered"


def test_a_cancel_is_too_late(delivering: Conversation) -> None:
    with pytest.raises(Refused, match="past its pivot, at create-delivery"):
        delivering.is_cancelled("bob: fraud")
    delivering.hears(CANCEL).expects(DELIVER)
    assert delivering.told(EventType.CANCEL_TOO_LATE) == ["ann: changed my mind"]
