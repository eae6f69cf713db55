"""A declaration that cannot work is refused at once."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sagakit.errors import Poison
from sagakit.saga import Backoff, Step, minutes, seconds
from sagakit.saga.declaration import LONGEST_WAIT
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA, HotelBooked, TripPlanned
from tests.support.trip import BOOK_CAR, BOOK_FLIGHT, HOTEL_BOOKED, PLANNED

FIRST, PIVOT, LAST = TRIP_SAGA.steps


@pytest.mark.parametrize(
    "steps",
    [(), (FIRST, replace(PIVOT, name=FIRST.name)), (replace(FIRST, pivot=True), PIVOT)],
    ids=["no-step", "one-name-twice", "two-pivots"],
)
def test_a_saga_needs_steps_with_names_of_their_own_and_one_pivot_at_most(steps: tuple[Step, ...]) -> None:
    with pytest.raises(ValueError, match="saga trip"):
        replace(TRIP_SAGA, steps=steps)


@pytest.mark.parametrize(
    "step",
    [replace(FIRST, timeout=timedelta.max), replace(FIRST, retry=Backoff(attempts=1, cap=2 * LONGEST_WAIT))],
    ids=["timeout", "cap"],
)
def test_no_step_waits_beyond_what_a_deadline_can_hold(step: Step) -> None:
    with pytest.raises(ValueError, match="no step waits longer than 3650 days"):
        replace(TRIP_SAGA, steps=(step, PIVOT))


@pytest.mark.parametrize(
    ("declaration", "twice"),
    [
        ({"steps": (FIRST, replace(PIVOT, done=FIRST.done), LAST)}, "HotelBooked"),
        ({"steps": (FIRST, replace(PIVOT, undone=FIRST.undone), LAST)}, "HotelCancelled"),
        ({"steps": (FIRST, replace(PIVOT, undone=PIVOT.done), LAST)}, "FlightBooked"),
        ({"cancel": replace(TRIP_SAGA.cancel, message=TRIP_SAGA.start)}, "TripPlanned"),
    ],
    ids=["done-twice", "undone-twice", "done-as-undone", "start-as-cancel"],
)
def test_what_a_message_means_is_known_by_its_type(declaration: dict[str, Any], twice: str) -> None:
    with pytest.raises(ValueError, match=f"saga trip: {twice} is declared twice"):
        replace(TRIP_SAGA, **declaration)


class FlightBookedLikeAHotel(HotelBooked, topic="flight-booked"):
    """A reply that takes its fields from another step's."""


class TripMoved(TripPlanned, topic="trip-planned"):
    """A message that no step waits for, and that takes its fields from the start."""


def test_a_message_is_of_its_own_type_and_not_of_one_that_it_inherits_from() -> None:
    saga = replace(TRIP_SAGA, steps=(FIRST, replace(PIVOT, done=FlightBookedLikeAHotel), LAST))
    trip = Conversation(saga).hears(PLANNED).replies(HOTEL_BOOKED)
    trip.expects(BOOK_FLIGHT).replies(FlightBookedLikeAHotel(7)).expects(BOOK_CAR)
    with pytest.raises(Poison, match="no use for TripMoved"):
        trip.hears(TripMoved(7, "Rome", 2))


def test_progress_is_found_by_name() -> None:
    assert [TRIP_SAGA.position(step.name) for step in TRIP_SAGA.steps] == [0, 1, 2]
    with pytest.raises(ValueError, match="no step 'pay'"):
        TRIP_SAGA.position("pay")


def test_without_a_pivot_the_last_step_is_it() -> None:
    assert TRIP_SAGA.pivot == 1
    without = replace(PIVOT, pivot=False)
    assert replace(TRIP_SAGA, steps=(FIRST, without, LAST)).pivot == 2
    assert replace(TRIP_SAGA, steps=(replace(FIRST, pivot=True), without, LAST)).pivot == 0


def test_times_are_written_as_they_are_said() -> None:
    assert minutes(1) == seconds(60)
