"""What follows the pivot only goes forward."""

import pytest

from sagakit.errors import Refused
from sagakit.saga.advance import advance
from sagakit.saga.instance import EventType, Status
from sagakit.saga.transition import Fit
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import BOOK_CAR, CANCELLED, CAR_BOOKED, CONFIRM, NO_CAR, PLANNED

ATTEMPTS = TRIP_SAGA.steps[2].retry.attempts


def test_used_up_attempts_make_it_stuck_and_it_goes_on_asking(past_the_pivot: Conversation) -> None:
    past_the_pivot.hears_nothing(ATTEMPTS + 5).expects(BOOK_CAR)
    assert past_the_pivot.instance.stuck
    past_the_pivot.replies(CAR_BOOKED).ends_with(CONFIRM, Status.COMPLETED)


def test_a_refusal_makes_it_stuck_at_once_and_it_is_asked_again_in_time(past_the_pivot: Conversation) -> None:
    past_the_pivot.replies(NO_CAR)
    assert past_the_pivot.instance.stuck
    assert past_the_pivot.fits[-1] is Fit.REFUSED_AFTER_PIVOT
    past_the_pivot.hears_nothing().expects(BOOK_CAR)
    assert past_the_pivot.instance.stuck


def test_a_refusal_that_comes_twice_leaves_one_line(past_the_pivot: Conversation) -> None:
    past_the_pivot.replies(NO_CAR).hears(NO_CAR)
    assert past_the_pivot.reasons(EventType.STEP_REFUSED) == ["NO_CAR"]


def test_a_step_that_was_refused_is_not_asked_again_at_once(past_the_pivot: Conversation) -> None:
    """It would be refused at once, and so on without end."""
    now = past_the_pivot.clock.now
    refused = advance(TRIP_SAGA, past_the_pivot.instance, NO_CAR, "a message", now)
    assert not refused.send
    assert not advance(TRIP_SAGA, refused.saga, NO_CAR, "a message", now).send
    again = advance(TRIP_SAGA, refused.saga, PLANNED, "a message", now)
    assert again.send, "but whoever asks is answered"


def test_a_cancel_is_too_late(past_the_pivot: Conversation) -> None:
    with pytest.raises(Refused, match="past its pivot, at book-car"):
        past_the_pivot.is_cancelled("bob: fraud")
    past_the_pivot.hears(CANCELLED).expects(BOOK_CAR)
    assert past_the_pivot.reasons(EventType.CANCEL_TOO_LATE) == ["ann: changed my mind"]
