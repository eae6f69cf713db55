"""What the metrics tell of sagas: how long they and their steps took, how often they were retried and undone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from prometheus_client import REGISTRY
from prometheus_client.openmetrics.exposition import generate_latest

from sagakit.messages import Message
from sagakit.orchestrator.course import Course, course
from sagakit.orchestrator.measures import SagaMeasures, operated
from sagakit.records import Record
from sagakit.saga import Saga
from sagakit.saga.instance import Instance
from sagakit.saga.interventions import cancel, retry
from sagakit.saga.overdue import overdue
from sagakit.testing.example import (
    TRIP_SAGA,
    CarBooked,
    FlightBooked,
    HotelBooked,
    HotelCancelled,
    TripCancelled,
    TripPlanned,
)
from sagakit.trace_context import TraceContext
from tests.support.series import Since

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBERS = count(1)
BEGUN = TripPlanned(1, "Rome", 2)
ANSWERS = ("done", "refused", "undone")


class Trip:
    """One saga, told what happens and when."""

    instance: Instance | None = None

    def __init__(self, saga: Saga = TRIP_SAGA) -> None:
        self.saga, self.measures = saga, SagaMeasures(saga)

    def hears(self, *records: Record, after: float = 0, trace: TraceContext | None = None) -> Course:
        """Handle ``records`` in one batch, so many seconds after noon."""
        messages = [Message(one, one.TOPIC, 0, 0, f"message-{next(NUMBERS)}", trace) for one in records]
        found = course(self.saga, self.instance, messages, NOON + timedelta(seconds=after))
        self.measures.advanced([found])
        self.instance = found.after
        return found

    def waits(self, until: float) -> None:
        """Let the pending command's deadline pass."""
        assert self.instance
        transition = overdue(self.saga, self.instance, NOON + timedelta(seconds=until))
        self.measures.fired(transition)
        self.instance = transition.saga


def completed(trip: Trip) -> None:
    trip.hears(BEGUN)
    trip.hears(HotelBooked(1), after=2)
    trip.hears(FlightBooked(1), after=5)
    trip.hears(CarBooked(1), after=9)


def test_a_saga_is_measured_from_its_start_to_its_end_by_how_it_ended() -> None:
    since = Since()
    completed(Trip())
    assert since.all("sagakit_saga_seconds_sum") == {("COMPLETED",): 9}
    assert since.all("sagakit_saga_seconds_count") == {("COMPLETED",): 1}
    assert since.all("sagakit_sagas_ended_total") == {("COMPLETED",): 1}


def test_each_step_is_measured_from_its_command_to_its_answer() -> None:
    since = Since()
    completed(Trip())
    assert since.all("sagakit_saga_step_seconds_sum") == {
        ("done", "book-hotel"): 2,
        ("done", "book-flight"): 3,
        ("done", "book-car"): 4,
    }


def test_a_refusal_is_told_from_a_success_and_the_undo_is_measured_too() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    trip.hears(HotelBooked(1), after=2)
    trip.hears(FlightBooked(1, success=False, reason="FULL"), after=5)
    trip.hears(HotelCancelled(1), after=6)
    assert since.all("sagakit_saga_step_seconds_sum") == {
        ("done", "book-hotel"): 2,
        ("refused", "book-flight"): 3,
        ("undone", "book-hotel"): 1,
    }
    assert since.all("sagakit_saga_seconds_sum") == {("COMPENSATED",): 6}


def test_a_repeated_reply_is_measured_once() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    trip.hears(HotelBooked(1), HotelBooked(1), after=2)
    trip.hears(HotelBooked(1), after=3)
    assert since.all("sagakit_saga_step_seconds_count") == {("done", "book-hotel"): 1}


def test_what_comes_in_one_batch_is_measured_as_well() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN, HotelBooked(1), FlightBooked(1), CarBooked(1))
    assert since.all("sagakit_saga_seconds_count") == {("COMPLETED",): 1}
    assert sum(since.all("sagakit_saga_step_seconds_count").values()) == 3


@pytest.mark.parametrize("said", ["FULL", "a text of a participant's own", "", None])
def test_whatever_reason_a_participant_gives_is_one_series(said: str | None) -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    trip.hears(HotelBooked(1, success=False, reason=said), after=1)
    assert since.all("sagakit_saga_compensations_total") == {("REFUSED",): 1}


def test_a_cancel_is_a_compensation_also_where_it_comes_before_its_start() -> None:
    since, asked = Since(), TripCancelled(1, "Rome", 2, "Ada", "")
    running, unheard_of = Trip(), Trip()
    running.hears(BEGUN)
    running.hears(asked)
    running.hears(asked)
    unheard_of.hears(asked)
    assert since.all("sagakit_saga_compensations_total") == {("CANCEL_REQUESTED",): 2}


def test_an_operators_cancel_is_a_compensation_and_his_retry_none() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    assert trip.instance
    for action in (retry, cancel):
        transition = action(TRIP_SAGA, trip.instance, "Ada", NOON)
        assert transition
        assert transition.event
        operated([transition.event])
    assert since.all("sagakit_saga_compensations_total") == {("CANCEL_REQUESTED",): 1}


def test_silence_is_counted_as_retries_and_then_as_a_compensation() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    for attempt in range(TRIP_SAGA.steps[0].retry.attempts):
        trip.waits(until=1000.0 * (attempt + 1))
    assert since.all("sagakit_saga_retries_total") == {("book-hotel",): 4}
    assert since.all("sagakit_saga_compensations_total") == {("TIMED_OUT",): 1}


def test_what_is_never_given_up_goes_on_to_be_counted() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN, HotelBooked(1), FlightBooked(1))
    for attempt in range(8):
        trip.waits(until=1000.0 * (attempt + 1))
    assert since.all("sagakit_saga_retries_total") == {("book-car",): 8}
    assert since.all("sagakit_saga_compensations_total") == {}


def test_what_an_operator_has_sent_again_is_no_retry_for_want_of_an_answer() -> None:
    since, trip = Since(), Trip()
    trip.hears(BEGUN)
    assert trip.instance
    trip.instance = retry(TRIP_SAGA, trip.instance, "Ada", NOON).saga
    trip.waits(until=1)
    assert since.all("sagakit_saga_retries_total") == {}


def test_every_step_is_there_before_its_first_event() -> None:
    unheard = replace(TRIP_SAGA.steps[0], name="unheard")
    SagaMeasures(replace(TRIP_SAGA, steps=(unheard,)))
    series: list[tuple[str, dict[str, str]]] = [
        ("sagakit_saga_retries_total", {"step": "unheard"}),
        *(("sagakit_saga_step_seconds_count", {"step": "unheard", "answer": one}) for one in ANSWERS),
        *(("sagakit_saga_seconds_count", {"status": one}) for one in ("COMPLETED", "COMPENSATED")),
    ]
    assert [one for one in series if REGISTRY.get_sample_value(*one) is None] == []


def exemplars() -> set[str]:
    page = generate_latest(REGISTRY).decode().splitlines()  # type: ignore[no-untyped-call]
    return {line.split("trace_id=")[1].split('"')[1] for line in page if "saga_seconds_bucket" in line and "#" in line}


@pytest.mark.parametrize("shown", [True, False])
def test_a_sagas_duration_leads_to_its_trace_where_that_is_recorded(shown: bool) -> None:
    trip, trace = Trip(), f"{next(NUMBERS):032x}"
    trip.hears(BEGUN, HotelBooked(1), FlightBooked(1))
    trip.hears(CarBooked(1), after=7, trace=TraceContext(trace, "00f067aa0ba902b7", sampled=shown))
    assert (trace in exemplars()) is shown
