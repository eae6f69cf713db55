"""A declaration that cannot work is refused at once."""

from dataclasses import replace
from datetime import timedelta

import pytest

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.saga import Backoff, Step, minutes, seconds
from sagakit.saga.declaration import LONGEST_WAIT

FIRST, SECOND = ORDER_SAGA.steps


@pytest.mark.parametrize(
    "steps",
    [(), (FIRST, replace(SECOND, name=FIRST.name)), (replace(FIRST, pivot=True), SECOND)],
    ids=["no-step", "one-name-twice", "two-pivots"],
)
def test_a_saga_needs_steps_with_names_of_their_own_and_one_pivot_at_most(steps: tuple[object, ...]) -> None:
    with pytest.raises(ValueError, match="saga order"):
        replace(ORDER_SAGA, steps=steps)  # type: ignore[arg-type] # steps, or none


@pytest.mark.parametrize(
    "step",
    [replace(FIRST, timeout=timedelta.max), replace(FIRST, retry=Backoff(attempts=1, cap=2 * LONGEST_WAIT))],
    ids=["timeout", "cap"],
)
def test_no_step_waits_beyond_what_a_deadline_can_hold(step: Step) -> None:
    with pytest.raises(ValueError, match="no step waits longer than 3650 days"):
        replace(ORDER_SAGA, steps=(step, SECOND))


def test_progress_is_found_by_name() -> None:
    assert [ORDER_SAGA.position(step.name) for step in ORDER_SAGA.steps] == [0, 1]
    with pytest.raises(ValueError, match="no step 'pay'"):
        ORDER_SAGA.position("pay")


def test_without_a_pivot_the_last_step_is_it() -> None:
    assert ORDER_SAGA.pivot == 1
    assert replace(ORDER_SAGA, steps=(FIRST, replace(SECOND, pivot=False))).pivot == 1
    assert replace(ORDER_SAGA, steps=(replace(FIRST, pivot=True), replace(SECOND, pivot=False))).pivot == 0


def test_times_are_written_as_they_are_said() -> None:
    assert minutes(1) == seconds(60)
