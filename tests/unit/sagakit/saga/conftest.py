"""The example's trip, at its start and further on."""

import pytest

from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_HOTEL,
    FLIGHT_BOOKED,
    HOTEL_BOOKED,
    NO_FLIGHT,
    PLANNED,
)


@pytest.fixture
def trip() -> Conversation:
    """One that has begun: it asks for a hotel."""
    return Conversation(TRIP_SAGA).hears(PLANNED).expects(BOOK_HOTEL)


@pytest.fixture
def at_the_pivot(trip: Conversation) -> Conversation:
    """One that has its hotel, and asks for a flight."""
    return trip.replies(HOTEL_BOOKED).expects(BOOK_FLIGHT)


@pytest.fixture
def past_the_pivot(at_the_pivot: Conversation) -> Conversation:
    """One that takes place whatever comes, and asks for a car."""
    return at_the_pivot.replies(FLIGHT_BOOKED).expects(BOOK_CAR)


@pytest.fixture
def undoing(at_the_pivot: Conversation) -> Conversation:
    """One that got no flight, and gives its hotel back."""
    return at_the_pivot.replies(NO_FLIGHT).expects(CANCEL_HOTEL)
