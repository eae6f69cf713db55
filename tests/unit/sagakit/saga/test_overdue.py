"""How long an attempt waits: doubled each time, capped, and spread, so that sagas do not retry together."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from sagakit.saga.declaration import LONGEST_WAIT
from sagakit.saga.overdue import overdue, wait_before_retry
from sagakit.testing import Conversation
from sagakit.testing.example import TRIP_SAGA
from tests.support.trip import HOTEL_BOOKED, PLANNED

STEP = TRIP_SAGA.steps[0]


def test_it_is_the_same_whenever_it_is_asked() -> None:
    assert wait_before_retry(STEP, 3, 7) == wait_before_retry(STEP, 3, 7)


def test_sagas_that_ran_out_of_time_together_do_not_go_on_together() -> None:
    waits = {wait_before_retry(STEP, 2, saga_id) for saga_id in range(1000)}
    assert len(waits) > 990
    assert timedelta(seconds=96) <= min(waits) < timedelta(seconds=100)
    assert timedelta(seconds=140) < max(waits) <= timedelta(seconds=144)


def test_however_many_attempts_it_stays_about_the_cap() -> None:
    assert timedelta(minutes=8) <= wait_before_retry(STEP, 100_000, 7) <= timedelta(minutes=12)


@pytest.mark.parametrize("scale", [0.001, 1, 1000, 1e9])
@pytest.mark.parametrize("attempt", [0, 1, 2, 33, 34, 2**31 - 1])
def test_whatever_attempt_and_scale_a_deadline_is_a_time(scale: float, attempt: int) -> None:
    waiting = Conversation(TRIP_SAGA.scaled(scale)).hears(PLANNED).replies(HOTEL_BOOKED)
    waiting.is_cancelled("operator: no").hears_nothing()  # undoing is never given up
    begun = datetime(2199, 12, 31, tzinfo=UTC)
    saga = overdue(waiting.saga, replace(waiting.instance, attempt=attempt), begun).saga
    assert saga.deadline is not None
    assert begun < saga.deadline <= begun + 1.2 * LONGEST_WAIT
    assert saga.attempt == min(attempt + 1, 2**31 - 1), "the most that its column holds"
