"""A saga that an operator has undone: up to the pivot it is, later it is too late."""

import pytest

from sagakit.errors import Refused
from sagakit.saga.instance import EventType, Status
from sagakit.testing import Conversation
from tests.support.trip import (
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    CAR_BOOKED,
    FLIGHT_CANCELLED,
    HOTEL_CANCELLED,
    refuse,
)


def test_before_the_first_reply_every_step_up_to_the_pivot_is_undone(trip: Conversation) -> None:
    """The saga may have come further than its database remembers."""
    trip.is_cancelled("bob: fraud").expects(CANCEL_FLIGHT).replies(FLIGHT_CANCELLED)
    trip.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    trip.ends_with(refuse("CANCEL_REQUESTED"), Status.COMPENSATED)
    assert trip.reasons(EventType.CANCEL_ACCEPTED) == ["bob: fraud"]


def test_at_the_pivot_both_steps_are_undone(at_the_pivot: Conversation) -> None:
    at_the_pivot.is_cancelled("bob: fraud")
    at_the_pivot.expects(CANCEL_FLIGHT).replies(FLIGHT_CANCELLED)
    at_the_pivot.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    at_the_pivot.ends_with(refuse("CANCEL_REQUESTED"), Status.COMPENSATED)


def test_a_completed_saga_cannot_be_cancelled_and_is_not_changed(past_the_pivot: Conversation) -> None:
    before = past_the_pivot.replies(CAR_BOOKED).instance
    with pytest.raises(Refused, match="is COMPLETED") as caught:
        past_the_pivot.is_cancelled("bob: fraud")
    assert caught.value.reason == "TOO_LATE"
    assert past_the_pivot.instance == before


def test_what_is_being_undone_already_stays_as_it_is(undoing: Conversation) -> None:
    before = undoing.instance
    assert undoing.is_cancelled("bob: fraud").instance == before
    undoing.replies(HOTEL_CANCELLED).is_cancelled("bob: fraud")
    undoing.ends_with(refuse("NO_SEAT"), Status.COMPENSATED)
