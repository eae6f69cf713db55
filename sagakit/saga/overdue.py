"""How a passed deadline changes a saga. Pure, like `sagakit.saga.advance`.

Up to the pivot a command is sent a limited number of times. Then the saga compensates, the pending step included: a
time-out does not say whether the step was done. Undoing, and every step after the pivot, is never given up. Exponential
backoff with jitter: https://aws.amazon.com/builders-library/timeouts-retries-and-backoff-with-jitter/
"""

from datetime import datetime, timedelta
from zlib import crc32

from sagakit.saga.declaration import Saga, Step
from sagakit.saga.instance import EventType, Instance, pending_command
from sagakit.saga.transition import Changes, Fit, Moves, Transition

TIMED_OUT = "TIMED_OUT"
"""Reason of a compensation: the attempts of a step before the pivot were used up."""

_SPREAD = 0.4
_MOST_DOUBLINGS = 32
_MOST_ATTEMPTS = 2**31 - 1
"""The highest number that the column and the API's field hold."""


def wait_before_retry(step: Step, attempt: int, saga_id: int) -> timedelta:
    """Return how long ``attempt`` of ``step``'s command, or of its undo, waits for the reply.

    The first waits the step's time-out, each later one twice as long as the one before, up to the cap. That is
    multiplied by 0.8 to 1.2, drawn from the saga's id and the attempt, so that sagas which timed out together do not
    retry together.
    """
    if attempt <= 1:
        return step.timeout
    doubled = step.timeout.total_seconds() * 2.0 ** min(attempt - 1, _MOST_DOUBLINGS)
    drawn = crc32(f"{saga_id}/{attempt}".encode()) / 2**32
    return timedelta(seconds=min(step.retry.cap.total_seconds(), doubled) * (1 - _SPREAD / 2 + _SPREAD * drawn))


def overdue(saga: Saga, instance: Instance, now: datetime) -> Transition:
    """Return how ``instance`` changes, whose deadline has passed at ``now``. Its command is always sent."""
    moves = Moves(saga, instance.moment(now))
    if instance.step is None:  # an operator wants the final command sent again
        return moves.without_event(instance, {"deadline": None}, Fit.RESENT)
    position = saga.position(instance.step)
    step = saga.steps[position]
    if instance.attempt == 0:  # an operator asked, and the history says so already
        return moves.without_event(instance, moves.wait(instance.status, step), Fit.RESENT)
    attempts = step.retry.attempts
    tried = f"attempt {instance.attempt}" + (f" of {attempts}" if instance.attempt <= attempts else "")
    tried += ", undoing" if instance.compensates else ""
    error = f"no reply to {type(pending_command(saga, instance)).__name__}, {tried}"
    again = _again(instance, step, now) | {"last_error": error}
    if instance.attempt < attempts:
        return moves.with_event(instance, again, EventType.STEP_TIMED_OUT, step=step.name, reason=tried, fit=Fit.RESENT)
    if moves.may_be_undone(instance):
        undoing = moves.compensate(position, TIMED_OUT)
        given_up = f"{tried}, given up"
        return moves.with_event(
            instance, undoing, EventType.STEP_TIMED_OUT, step=step.name, reason=given_up, fit=Fit.GAVE_UP
        )
    again["stuck"] = True
    if instance.stuck and instance.attempt > attempts:
        return moves.without_event(instance, again, Fit.STUCK)
    return moves.with_event(instance, again, EventType.STUCK, step=step.name, reason=tried, fit=Fit.STUCK)


def _again(instance: Instance, step: Step, now: datetime) -> Changes:
    attempt = min(instance.attempt + 1, _MOST_ATTEMPTS)
    return {"attempt": attempt, "deadline": now + wait_before_retry(step, attempt, instance.saga_id)}
