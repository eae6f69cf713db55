"""How long an attempt waits: doubled each time, capped, and spread so that no two sagas march in step."""

from datetime import timedelta

from orchestrator_svc.order_saga import ORDER_SAGA
from saga.overdue import patience

STEP = ORDER_SAGA.steps[0]


def test_it_is_the_same_whenever_it_is_asked() -> None:
    assert patience(STEP, 3, 7) == patience(STEP, 3, 7)


def test_sagas_that_ran_out_of_time_together_do_not_go_on_together() -> None:
    waits = {patience(STEP, 2, saga_id) for saga_id in range(1000)}
    assert len(waits) > 990
    assert timedelta(seconds=96) <= min(waits) < timedelta(seconds=100)
    assert timedelta(seconds=140) < max(waits) <= timedelta(seconds=144)


def test_however_many_attempts_it_stays_about_the_cap() -> None:
    assert timedelta(minutes=8) <= patience(STEP, 100_000, 7) <= timedelta(minutes=12)
