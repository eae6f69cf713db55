"""What messages make of a saga, told as conversations."""

from dataclasses import replace

import pytest

from sagakit.errors import Poison
from sagakit.records import Record
from sagakit.saga.instance import EventType, Status, remaining_steps
from sagakit.saga.transition import Fit
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    CANCELLED,
    CAR_BOOKED,
    CONFIRM,
    FLIGHT_BOOKED,
    FLIGHT_CANCELLED,
    HOTEL_BOOKED,
    HOTEL_CANCELLED,
    NO_FLIGHT,
    NO_HOTEL,
    PLANNED,
    refuse,
)


@pytest.fixture
def completed(past_the_pivot: Conversation) -> Conversation:
    return past_the_pivot.replies(CAR_BOOKED).ends_with(CONFIRM, Status.COMPLETED)


def is_undone_from_the_pivot_on(trip: Conversation, reason: str) -> None:
    trip.expects(CANCEL_FLIGHT).replies(FLIGHT_CANCELLED)
    trip.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    trip.ends_with(refuse(reason), Status.COMPENSATED)


def test_every_step_done_completes_the_saga(trip: Conversation) -> None:
    trip.replies(HOTEL_BOOKED)
    trip.expects(BOOK_FLIGHT).replies(FLIGHT_BOOKED)
    trip.expects(BOOK_CAR).replies(CAR_BOOKED)
    trip.ends_with(CONFIRM, Status.COMPLETED)


def test_a_first_step_that_is_refused_leaves_nothing_to_undo(trip: Conversation) -> None:
    trip.replies(NO_HOTEL)
    trip.ends_with(refuse("NO_ROOM"), Status.COMPENSATED)


def test_a_later_step_that_is_refused_has_those_before_it_undone(at_the_pivot: Conversation) -> None:
    at_the_pivot.replies(NO_FLIGHT)
    at_the_pivot.expects(CANCEL_HOTEL).replies(HOTEL_CANCELLED)
    at_the_pivot.ends_with(refuse("NO_SEAT"), Status.COMPENSATED)


def test_the_history_shows_each_step_with_its_message(undoing: Conversation) -> None:
    undoing.replies(HOTEL_CANCELLED)
    assert [(e.version, e.type, e.step, e.reason, e.message_id) for e in undoing.history] == [
        (1, EventType.STARTED, None, None, "message-1"),
        (2, EventType.STEP_DONE, "book-hotel", None, "message-2"),
        (3, EventType.STEP_REFUSED, "book-flight", "NO_SEAT", "message-3"),
        (4, EventType.STEP_UNDONE, "book-hotel", None, "message-4"),
    ]


def test_a_repeated_start_is_answered_with_the_pending_command(at_the_pivot: Conversation) -> None:
    before = at_the_pivot.instance
    at_the_pivot.hears(PLANNED)
    assert at_the_pivot.fits[-1] is Fit.REPEATED_START
    assert at_the_pivot.expects(BOOK_FLIGHT).instance == before


def test_a_repeated_start_after_the_end_is_answered_with_the_final_command(completed: Conversation) -> None:
    completed.hears(PLANNED).ends_with(CONFIRM, Status.COMPLETED)


def test_a_reply_that_comes_twice_advances_once(at_the_pivot: Conversation) -> None:
    at_the_pivot.hears(HOTEL_BOOKED)
    assert at_the_pivot.fits[-1] is Fit.UNEXPECTED_REPLY
    at_the_pivot.expects(BOOK_FLIGHT)


@pytest.mark.parametrize("late", [HOTEL_BOOKED, FLIGHT_BOOKED, CAR_BOOKED])
def test_no_reply_changes_a_saga_that_has_ended(completed: Conversation, late: Record) -> None:
    ended = completed.instance
    completed.hears(late)
    assert completed.instance == ended
    assert completed.fits[-1] is Fit.UNEXPECTED_REPLY


def test_a_late_success_does_not_stop_a_compensation(undoing: Conversation) -> None:
    undoing.hears(FLIGHT_BOOKED)
    assert undoing.fits[-1] is Fit.LATE_REPLY
    undoing.expects(CANCEL_HOTEL)


def test_a_step_that_was_refused_and_is_done_after_all_is_undone(trip: Conversation) -> None:
    trip.replies(NO_HOTEL).hears(HOTEL_BOOKED)
    assert trip.also == [CANCEL_HOTEL]
    trip.hears(HOTEL_CANCELLED)
    trip.ends_with(refuse("NO_ROOM"), Status.COMPENSATED)


def test_it_is_undone_beside_the_undo_that_is_pending(undoing: Conversation) -> None:
    undoing.hears(FLIGHT_BOOKED)
    assert undoing.also == [CANCEL_FLIGHT]
    undoing.expects(CANCEL_HOTEL)


@pytest.mark.parametrize("late", [HOTEL_BOOKED, NO_HOTEL, NO_FLIGHT])
def test_what_a_pending_undo_undoes_or_was_refused_needs_no_other(undoing: Conversation, late: Record) -> None:
    undoing.hears(late)
    assert undoing.also == []


def test_an_id_used_again_for_other_content_is_poison(trip: Conversation) -> None:
    with pytest.raises(Poison, match="other content") as caught:
        trip.hears(replace(PLANNED, days=3))
    assert caught.value.reason == "REUSED_ID"


def test_a_reply_to_a_saga_that_never_began_is_poison() -> None:
    with pytest.raises(Poison) as caught:
        Conversation(TRIP_SAGA).hears(HOTEL_BOOKED)
    assert caught.value.reason == "UNKNOWN_SAGA"


def test_a_cancel_before_the_first_reply_undoes_every_step_up_to_the_pivot(trip: Conversation) -> None:
    """The saga may have come further than its database remembers."""
    is_undone_from_the_pivot_on(trip.hears(CANCELLED), "CANCEL_REQUESTED")


def test_a_cancel_at_the_pivot_undoes_the_steps_in_reverse_order(at_the_pivot: Conversation) -> None:
    is_undone_from_the_pivot_on(at_the_pivot.hears(CANCELLED), "CANCEL_REQUESTED")
    assert at_the_pivot.reasons(EventType.CANCEL_ACCEPTED) == ["ann: changed my mind"]


def test_a_cancel_after_the_end_changes_nothing_but_is_remembered(completed: Conversation) -> None:
    completed.hears(CANCELLED).ends_with(CONFIRM, Status.COMPLETED)
    assert completed.history[-1].type is EventType.CANCEL_TOO_LATE


def test_a_cancel_of_a_saga_never_heard_of_undoes_every_step_up_to_the_pivot() -> None:
    """It overtook its start; or the saga is forgotten, and what it booked is not."""
    trip = Conversation(TRIP_SAGA).hears(CANCELLED).expects(CANCEL_FLIGHT).hears(PLANNED)
    is_undone_from_the_pivot_on(trip, "CANCEL_REQUESTED")
    assert trip.fits[:2] == [Fit.ADVANCED, Fit.REPEATED_START]


def test_a_step_that_was_done_and_is_refused_later_has_the_saga_undone_up_to_the_pivot(
    at_the_pivot: Conversation,
) -> None:
    """Its participant's database went back, and what it forgot could not be done a second time."""
    is_undone_from_the_pivot_on(at_the_pivot.hears(NO_HOTEL), "NO_ROOM")


@pytest.mark.parametrize("late", [NO_HOTEL, NO_FLIGHT], ids=["hotel", "flight"])
def test_one_that_is_refused_once_the_saga_is_completed_is_marked_for_an_operator(
    completed: Conversation, late: Record
) -> None:
    completed.hears(late).hears(late).ends_with(CONFIRM, Status.COMPLETED)
    assert completed.instance.stuck
    assert "was done before, and is refused now" in (completed.instance.last_error or "")
    assert completed.reasons(EventType.STEP_REFUSED) == [completed.instance.last_error], "once"


@pytest.mark.parametrize("undone", [HOTEL_CANCELLED, FLIGHT_CANCELLED], ids=["hotel", "flight"])
def test_a_saga_that_was_to_be_undone_and_has_forgotten_it_is_undone(
    at_the_pivot: Conversation, undone: Record
) -> None:
    """It had been given up, or an operator had cancelled it, before its database went back."""
    is_undone_from_the_pivot_on(at_the_pivot.hears(undone), "UNDONE")


@pytest.mark.parametrize("undone", [HOTEL_CANCELLED, FLIGHT_CANCELLED], ids=["hotel", "flight"])
def test_one_that_hears_so_once_it_is_completed_is_marked_for_an_operator(
    completed: Conversation, undone: Record
) -> None:
    completed.hears(undone).hears(undone).ends_with(CONFIRM, Status.COMPLETED)
    assert completed.instance.stuck
    assert completed.reasons(EventType.STEP_UNDONE) == [completed.instance.last_error], "once"


def test_the_steps_that_remain_begin_with_the_pending_one(trip: Conversation) -> None:
    def remaining() -> list[str]:
        return remaining_steps(TRIP_SAGA, trip.instance)

    assert remaining() == ["book-hotel", "book-flight", "book-car"]
    trip.replies(HOTEL_BOOKED).hears(CANCELLED)
    assert remaining() == ["book-flight", "book-hotel"]
    trip.replies(FLIGHT_CANCELLED).replies(HOTEL_CANCELLED)
    assert remaining() == []


def test_each_wait_has_a_deadline_and_the_end_has_none(trip: Conversation) -> None:
    assert trip.instance.waiting_since == trip.clock.now
    assert trip.instance.deadline == trip.clock.now + TRIP_SAGA.steps[0].timeout
    trip.replies(NO_HOTEL)
    assert trip.instance.waiting_since is None
    assert trip.instance.deadline is None
