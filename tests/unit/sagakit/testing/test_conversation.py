"""A conversation that goes otherwise than expected says so: what was expected, what came, and all that was said."""

import pytest

from sagakit.errors import NotHeardOf, Poison, Refused
from sagakit.saga import minutes, seconds
from sagakit.saga.instance import Status
from sagakit.testing import Clock, Conversation
from sagakit.testing.example import TRIP_SAGA as TRIP
from sagakit.testing.example import BookCar, BookFlight, BookHotel, HotelBooked, TripPlanned
from tests.support.trip import (
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CAR_BOOKED,
    CONFIRM,
    FLIGHT_BOOKED,
    HOTEL_BOOKED,
    PLANNED,
    refuse,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def trip(clock: Clock) -> Conversation:
    return Conversation(TRIP, clock).hears(PLANNED)


def test_another_command_than_the_expected_one_is_named_with_all_that_was_said_before(trip: Conversation) -> None:
    trip.hears_nothing()
    with pytest.raises(AssertionError) as failed:
        trip.expects(BOOK_FLIGHT)
    assert str(failed.value).splitlines() == [
        "trip: the saga asks for another command",
        "  expected: BookFlight(key=7, city='Rome', days=2)",
        "  actual:   BookHotel(key=7, city='Rome', days=2)",
        "so far:",
        f"  0:00:00.001000  hears {PLANNED}: advanced, asks for {BOOK_HOTEL}",
        f"  0:01:00.001000  is overdue: resent, asks for {BOOK_HOTEL}",
    ]


def test_a_command_may_be_expected_by_its_type(trip: Conversation) -> None:
    trip.expects(BookHotel)
    with pytest.raises(AssertionError, match=r"expected: any BookFlight\n  actual:   BookHotel"):
        trip.expects(BookFlight)


def test_a_saga_that_goes_on_has_not_ended(trip: Conversation) -> None:
    with pytest.raises(AssertionError, match="has not ended, it awaits book-hotel"):
        trip.ends_with(CONFIRM, Status.COMPLETED)


def test_a_saga_that_has_ended_asks_for_nothing(trip: Conversation) -> None:
    trip.replies(HOTEL_BOOKED).replies(FLIGHT_BOOKED).replies(CAR_BOOKED)
    with pytest.raises(AssertionError, match="has ended, COMPLETED"):
        trip.expects(BookCar)
    with pytest.raises(AssertionError, match="has ended COMPLETED, not COMPENSATED"):
        trip.ends_with(refuse("NO_SEAT"), Status.COMPENSATED)
    with pytest.raises(AssertionError, match="ends with another command"):
        trip.ends_with(refuse("NO_SEAT"), Status.COMPLETED)
    with pytest.raises(AssertionError, match="awaits nothing"):
        trip.hears_nothing()


def test_the_status_at_the_end_may_be_a_text(trip: Conversation) -> None:
    trip.replies(HotelBooked(7, success=False, reason="NO_ROOM"))
    trip.ends_with(refuse("NO_ROOM"), "COMPENSATED")
    with pytest.raises(AssertionError, match="has ended COMPENSATED, not COMPLETED"):
        trip.ends_with(refuse("NO_ROOM"), "COMPLETED")


def test_a_reply_to_another_saga_does_not_advance_this_one(trip: Conversation) -> None:
    with pytest.raises(AssertionError, match=r"HotelBooked\(key=8, .*\) is for saga 8, and this is saga 7\nso far:\n "):
        trip.replies(HotelBooked(8))
    trip.expects(BOOK_HOTEL)


def test_a_message_that_the_saga_cannot_take_fails_with_all_that_was_said_before(trip: Conversation) -> None:
    with pytest.raises(Poison, match="no use for BookCar") as failed:
        trip.hears(BookCar(7, "Rome", 2))
    (note,) = failed.value.__notes__
    assert note.splitlines() == [
        "so far:",
        f"  0:00:00.001000  hears {PLANNED}: advanced, asks for {BOOK_HOTEL}",
        "  0:00:00.002000  hears BookCar(key=7, city='Rome', days=2): Poison",
    ]
    with pytest.raises(NotHeardOf) as unknown:
        Conversation(TRIP).hears(HOTEL_BOOKED)
    assert unknown.value.__notes__ == [f"so far:\n  0:00:00.001000  hears {HOTEL_BOOKED}: NotHeardOf"]


def test_a_cancel_past_the_pivot_is_refused_with_all_that_was_said_before(trip: Conversation) -> None:
    trip.replies(HOTEL_BOOKED).replies(FLIGHT_BOOKED)
    with pytest.raises(Refused, match="past its pivot, at book-car") as refused:
        trip.is_cancelled("ann: rain")
    assert refused.value.__notes__[0].splitlines()[-1] == "  0:00:00.004000  is cancelled, ann: rain: Refused"


def test_before_it_begins_a_saga_asks_for_nothing() -> None:
    with pytest.raises(AssertionError, match="has not begun"):
        Conversation(TRIP).expects(BOOK_HOTEL)


def test_timers_act_when_their_time_has_come_and_not_before(trip: Conversation, clock: Clock) -> None:
    clock.advance(seconds(59))
    assert trip.instance.attempt == 1
    clock.advance(seconds(1))
    assert trip.instance.attempt == 2
    trip.expects(BOOK_HOTEL)


def test_what_is_due_within_one_long_pause_happens_each_at_its_time(trip: Conversation, clock: Clock) -> None:
    clock.advance(minutes(60))
    lines = [(line.create_time - trip.history[0].create_time).total_seconds() for line in trip.history]
    assert lines[1] == 60
    assert lines == sorted(set(lines))


def test_conversations_share_a_clock(trip: Conversation, clock: Clock) -> None:
    other = Conversation(TRIP, clock).hears(TripPlanned(8, "Oslo", 3))
    trip.replies(HOTEL_BOOKED)
    other.replies(HotelBooked(8))
    clock.advance(minutes(2))
    assert (trip.instance.attempt, other.instance.attempt) == (2, 2)
