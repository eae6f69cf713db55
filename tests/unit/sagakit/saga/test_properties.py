"""Properties of the transition functions, for messages, time-outs and operators in any order."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sagakit.errors import Refused
from sagakit.records import Record
from sagakit.saga.advance import advance
from sagakit.saga.instance import EventType, Instance, Status, pending_command, remaining_steps
from sagakit.saga.interventions import cancel, retry
from sagakit.saga.overdue import overdue
from sagakit.saga.transition import Fit, Transition
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import (
    BOOK_CAR,
    BOOK_FLIGHT,
    BOOK_HOTEL,
    CANCEL_FLIGHT,
    CANCEL_HOTEL,
    CANCELLED,
    CAR_BOOKED,
    CONFIRM,
    FLIGHT_BOOKED,
    FLIGHT_CANCELLED,
    HOTEL_BOOKED,
    HOTEL_CANCELLED,
    NO_CAR,
    NO_FLIGHT,
    NO_HOTEL,
    PLANNED,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
REPLIES: list[Record] = [
    HOTEL_BOOKED,
    FLIGHT_BOOKED,
    CAR_BOOKED,
    HOTEL_CANCELLED,
    FLIGHT_CANCELLED,
    NO_HOTEL,
    NO_FLIGHT,
    NO_CAR,
]
MESSAGES: list[Record] = [PLANNED, CANCELLED, *REPLIES]
ANSWERS: dict[type[Record], Record] = {
    type(BOOK_HOTEL): HOTEL_BOOKED,
    type(BOOK_FLIGHT): FLIGHT_BOOKED,
    type(BOOK_CAR): CAR_BOOKED,
    type(CANCEL_HOTEL): HOTEL_CANCELLED,
    type(CANCEL_FLIGHT): FLIGHT_CANCELLED,
}
ENDS = (Status.COMPLETED, Status.COMPENSATED)

Happening = Callable[[Instance, datetime], Transition | None]


def comes(message: Record) -> Happening:
    return lambda instance, now: advance(TRIP_SAGA, instance, message, "id", now)


def silence(instance: Instance, now: datetime) -> Transition | None:
    return None if instance.deadline is None else overdue(TRIP_SAGA, instance, max(now, instance.deadline))


def an_operator_cancels(instance: Instance, now: datetime) -> Transition | None:
    try:
        return cancel(TRIP_SAGA, instance, "operator", now)
    except Refused:
        return None


def an_operator_retries(instance: Instance, now: datetime) -> Transition | None:
    return retry(TRIP_SAGA, instance, "operator", now)


def the_reply(instance: Instance, now: datetime) -> Transition | None:
    """Have the participant reply that it is done."""
    asked = type(pending_command(TRIP_SAGA, instance))
    return advance(TRIP_SAGA, instance, ANSWERS[asked], "id", now) if asked in ANSWERS else None


HAPPENINGS: list[Happening] = [
    *map(comes, MESSAGES),
    *[silence] * 4,
    *[the_reply] * 4,
    an_operator_cancels,
    an_operator_retries,
]
STORIES = st.lists(st.sampled_from(HAPPENINGS), max_size=25)
BEGINNINGS = st.sampled_from([PLANNED, PLANNED, PLANNED, CANCELLED])
thorough = partial(settings, deadline=None, derandomize=True, database=None)


def transitions_of(beginning: Record, story: Sequence[Happening]) -> list[Transition]:
    """Return the transition of each happening; those without one are left out."""
    transitions = [advance(TRIP_SAGA, None, beginning, "id", START)]
    for minute, happening in enumerate(story, 1):
        transition = happening(transitions[-1].saga, START + timedelta(minutes=minute))
        transitions += [transition] if transition else []
    return transitions


@thorough(max_examples=500)
@given(BEGINNINGS, STORIES)
def test_a_saga_has_one_command_and_never_goes_back(beginning: Record, story: list[Happening]) -> None:
    transitions = transitions_of(beginning, story)
    for before, after in pairwise(transitions):
        was, is_now = before.saga, after.saga
        assert pending_command(TRIP_SAGA, is_now).key == PLANNED.key
        assert is_now.ended == (is_now.status in ENDS) == (remaining_steps(TRIP_SAGA, is_now) == [])
        assert was.status in {is_now.status, Status.RUNNING, Status.COMPENSATING}
        assert (was.status, is_now.status) not in {
            (Status.COMPENSATING, Status.RUNNING),
            (Status.COMPENSATING, ENDS[0]),
        }
        if was.status is is_now.status:
            assert len(remaining_steps(TRIP_SAGA, is_now)) <= len(remaining_steps(TRIP_SAGA, was))


@thorough(max_examples=500)
@given(BEGINNINGS, STORIES)
def test_the_history_is_the_changes_each_with_its_version(beginning: Record, story: list[Happening]) -> None:
    transitions = transitions_of(beginning, story)
    for before, after in pairwise(transitions):
        if after.event:
            assert (after.event.version, after.saga.version) == (before.saga.version + 1,) * 2
        elif after.saga.version == before.saga.version:
            assert after.saga == before.saga
    given_up = [one for one in transitions if one.event and one.event.type is EventType.STUCK]
    assert all(one.saga.status is Status.COMPENSATING for one in given_up), "before the pivot it gives up instead"


@thorough(max_examples=500)
@given(BEGINNINGS, st.lists(st.tuples(st.sampled_from(HAPPENINGS), st.integers(-60, 60)), max_size=25))
def test_no_line_is_earlier_than_the_one_before_it_whatever_the_clock_says(
    beginning: Record, story: list[tuple[Happening, int]]
) -> None:
    transitions = [advance(TRIP_SAGA, None, beginning, "id", START)]
    for happening, minute in story:
        now = START + timedelta(minutes=minute)
        before = transitions[-1].saga
        transition = happening(before, now)
        if transition:
            after = transition.saga
            assert after.update_time >= (max(now, before.update_time) if after != before else before.update_time)
            assert transition.event is None or transition.event.create_time == after.update_time
            assert after.waiting_since is None or before.create_time <= after.waiting_since <= after.update_time
            transitions.append(transition)


@thorough(max_examples=500)
@given(BEGINNINGS, STORIES, st.sampled_from(REPLIES))
def test_a_reply_that_comes_again_changes_nothing(beginning: Record, story: list[Happening], reply: Record) -> None:
    before = transitions_of(beginning, story)[-1].saga
    # A saga that learns that it was being undone sends undos itself, and this reply answers them as well.
    assume(before.status is not Status.RUNNING or reply not in (HOTEL_CANCELLED, FLIGHT_CANCELLED))
    once = advance(TRIP_SAGA, before, reply, "id", START)
    again = advance(TRIP_SAGA, once.saga, reply, "id", START + timedelta(hours=1))
    assert (again.saga, again.event) == (once.saga, None)
    assert again.send or again.fit is Fit.REFUSED_AFTER_PIVOT, "asked at once it would be refused at once"


@thorough(max_examples=500)
@given(BEGINNINGS, STORIES, STORIES)
def test_an_ended_saga_only_says_its_last_word(
    beginning: Record, story: list[Happening], later: list[Happening]
) -> None:
    until_the_end = [*story, *[silence] * 6, comes(FLIGHT_CANCELLED), comes(HOTEL_CANCELLED), comes(CAR_BOOKED)]
    ended = transitions_of(beginning, until_the_end)[-1].saga
    assert ended.ended
    last_word = pending_command(TRIP_SAGA, ended)
    for happening in later:
        transition = happening(ended, START + timedelta(days=1))
        if transition:
            assert pending_command(TRIP_SAGA, transition.saga) == last_word
            # It may be marked as stuck, for an operator.
            changing = ("version", "update_time", "deadline", "stuck", "last_error")
            kept = {name: getattr(ended, name) for name in changing}
            assert replace(transition.saga, **kept) == ended
            ended = transition.saga


@thorough(max_examples=500)
@given(BEGINNINGS, STORIES)
def test_whoever_answers_what_is_asked_brings_every_saga_to_its_end(beginning: Record, story: list[Happening]) -> None:
    saga = transitions_of(beginning, story)[-1].saga
    for _ in remaining_steps(TRIP_SAGA, saga):
        transition = the_reply(saga, START)
        assert transition is not None
        saga = transition.saga
    assert saga.ended
    assert (pending_command(TRIP_SAGA, saga) == CONFIRM) == (saga.status is Status.COMPLETED)
