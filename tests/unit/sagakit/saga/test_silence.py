"""A saga when nobody answers: it asks again, then undoes; and undoing is never given up."""

from datetime import timedelta

from sagakit.saga import minutes, seconds
from sagakit.saga.instance import EventType, Status
from sagakit.saga.transition import Fit
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import (
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    CAR_BOOKED,
    CONFIRM,
    FLIGHT_BOOKED,
    FLIGHT_CANCELLED,
    HOTEL_BOOKED,
    HOTEL_CANCELLED,
    NO_HOTEL,
    refuse,
)

ATTEMPTS = TRIP_SAGA.steps[0].retry.attempts
CAP = TRIP_SAGA.steps[0].retry.cap


def test_silence_is_answered_by_asking_again(trip: Conversation) -> None:
    trip.hears_nothing().expects(BOOK_HOTEL)
    assert trip.fits[-1] is Fit.RESENT
    trip.hears_nothing().expects(BOOK_HOTEL).replies(HOTEL_BOOKED)
    trip.expects(BOOK_FLIGHT)
    assert trip.reasons(EventType.STEP_TIMED_OUT) == ["attempt 1 of 5", "attempt 2 of 5"]


def test_each_attempt_waits_about_twice_as_long_up_to_the_cap(trip: Conversation) -> None:
    waits = []
    for _ in range(ATTEMPTS - 1):
        waits.append(trip.wait)
        trip.hears_nothing()
    assert waits[0] == seconds(60)
    for wait, doubled in zip(waits[1:], map(minutes, (2, 4, 8)), strict=True):
        assert 0.8 * doubled <= wait <= 1.2 * doubled
    assert 0.8 * CAP <= trip.wait <= 1.2 * CAP


def test_the_wait_is_counted_from_the_first_attempt(trip: Conversation) -> None:
    began = trip.instance.waiting_since
    trip.hears_nothing(3)
    assert trip.instance.waiting_since == began
    assert trip.instance.attempt == 4
    assert trip.instance.last_error == "no reply to BookHotel, attempt 3 of 5"


def test_used_up_attempts_undo_the_first_step_too_though_it_may_never_have_been_done(trip: Conversation) -> None:
    trip.hears_nothing(ATTEMPTS)
    assert trip.fits[-1] is Fit.GAVE_UP
    trip.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    trip.ends_with(refuse("TIMED_OUT"), Status.COMPENSATED)
    assert trip.reasons(EventType.STEP_TIMED_OUT)[-1] == "attempt 5 of 5, given up"


def test_used_up_attempts_at_the_pivot_undo_both_steps_in_reverse_order(at_the_pivot: Conversation) -> None:
    at_the_pivot.hears_nothing(ATTEMPTS)
    at_the_pivot.expects(CANCEL_FLIGHT).replies(FLIGHT_CANCELLED)
    at_the_pivot.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    at_the_pivot.ends_with(refuse("TIMED_OUT"), Status.COMPENSATED)


def test_a_reply_after_the_saga_gave_up_does_not_bring_it_back(at_the_pivot: Conversation) -> None:
    at_the_pivot.hears_nothing(ATTEMPTS).hears(FLIGHT_BOOKED)
    assert at_the_pivot.fits[-1] is Fit.LATE_REPLY
    at_the_pivot.expects(CANCEL_FLIGHT)


def test_a_late_refusal_of_the_step_being_undone_changes_nothing(trip: Conversation) -> None:
    trip.hears_nothing(ATTEMPTS).hears(NO_HOTEL)
    assert trip.fits[-1] is Fit.LATE_REPLY
    trip.expects(CANCEL_HOTEL)


def test_two_replies_to_two_attempts_advance_once(trip: Conversation) -> None:
    trip.hears_nothing().replies(HOTEL_BOOKED).hears(HOTEL_BOOKED)
    assert trip.fits[-1] is Fit.UNEXPECTED_REPLY
    trip.expects(BOOK_FLIGHT)


def test_undoing_is_never_given_up_but_an_operator_is_called(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS - 1)
    assert not undoing.instance.stuck
    assert undoing.reasons(EventType.STEP_TIMED_OUT)[-1] == "attempt 4 of 5, undoing"
    undoing.hears_nothing()
    assert undoing.instance.stuck
    undoing.hears_nothing(20).expects(CANCEL_HOTEL)
    assert undoing.instance.stuck
    assert undoing.fits[-1] is Fit.STUCK
    assert 0.8 * CAP <= undoing.wait <= 1.2 * CAP
    assert undoing.reasons(EventType.STUCK) == ["attempt 5 of 5, undoing"]


def test_a_stuck_saga_goes_on_when_the_reply_comes_after_all(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS + 3).replies(HOTEL_CANCELLED)
    assert not undoing.instance.stuck
    undoing.ends_with(refuse("NO_SEAT"), Status.COMPENSATED)


def test_an_operator_has_a_stuck_saga_ask_again_with_all_its_attempts(undoing: Conversation) -> None:
    undoing.hears_nothing(ATTEMPTS).is_retried("ann: the hotel is back")
    assert not undoing.instance.stuck
    assert undoing.instance.attempt == 1
    assert undoing.wait == seconds(60)
    undoing.expects(CANCEL_HOTEL).hears_nothing(ATTEMPTS - 1)
    assert not undoing.instance.stuck
    assert undoing.reasons(EventType.RETRIED) == ["ann: the hotel is back"]


def test_a_retry_of_a_saga_that_has_ended_sends_its_final_command_once(past_the_pivot: Conversation) -> None:
    past_the_pivot.replies(CAR_BOOKED).is_retried("ann: nobody knows that it has ended")
    past_the_pivot.ends_with(CONFIRM, Status.COMPLETED)
    assert past_the_pivot.fits[-1] is Fit.RESENT
    assert past_the_pivot.instance.deadline is None


def test_versions_only_grow(trip: Conversation) -> None:
    trip.hears_nothing(2).replies(HOTEL_BOOKED).is_retried("ann").hears_nothing(ATTEMPTS).replies(FLIGHT_CANCELLED)
    versions = [line.version for line in trip.history]
    assert versions == sorted(set(versions))


def test_a_scaled_saga_waits_in_proportion() -> None:
    step = TRIP_SAGA.scaled(0.5).steps[1]
    assert step.timeout == timedelta(seconds=30)
    assert step.retry.cap == timedelta(minutes=5)
    assert step.retry.attempts == ATTEMPTS
