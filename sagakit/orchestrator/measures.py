"""How long sagas and their steps take, and how often they are retried and undone.

A participant names its own reasons, any number of them, and each label of a metric is a series for ever. So here a
refusal is a refusal; which reason it had stands in the saga and its history.
"""

from collections.abc import Collection, Iterable
from datetime import timedelta

from prometheus_client import Counter, Histogram

from sagakit.orchestrator.course import Course
from sagakit.runtime.metrics import begin_at_zero, exemplar, tally
from sagakit.saga.advance import UNDONE
from sagakit.saga.declaration import Saga
from sagakit.saga.instance import Event, EventType, Instance, Status
from sagakit.saga.overdue import TIMED_OUT
from sagakit.saga.transition import CANCEL_REQUESTED, Fit, Transition
from sagakit.trace_context import recorded

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600)
_ENDS = (Status.COMPLETED, Status.COMPENSATED)
_ANSWERS = {EventType.STEP_DONE: "done", EventType.STEP_REFUSED: "refused", EventType.STEP_UNDONE: "undone"}
_REFUSED = "REFUSED"
_REASONS = (CANCEL_REQUESTED, TIMED_OUT, UNDONE, _REFUSED)

_ENDED = Counter("sagakit_sagas_ended_total", "Sagas that came to their end.", ["status"])
begin_at_zero(_ENDED, _ENDS)
_SAGA = Histogram("sagakit_saga_seconds", "From a saga's start to its end.", ["status"], buckets=_SECONDS)
_STEP = Histogram(
    "sagakit_saga_step_seconds",
    "From a step's command, or its undo, to the answer.",
    ["step", "answer"],
    buckets=_SECONDS,
)
_RETRIES = Counter("sagakit_saga_retries_total", "Commands sent again because no answer came.", ["step"])
_COMPENSATIONS = Counter("sagakit_saga_compensations_total", "Sagas that began to be undone.", ["reason"])
begin_at_zero(_COMPENSATIONS, _REASONS)


class SagaMeasures:
    """Measures the sagas of one declaration."""

    def __init__(self, saga: Saga) -> None:
        """Measure ``saga``, whose steps are counted from zero."""
        steps = [step.name for step in saga.steps]
        self._sagas = {status: _SAGA.labels(status.value) for status in _ENDS}
        self._steps = {(step, type_): _STEP.labels(step, _ANSWERS[type_]) for step in steps for type_ in _ANSWERS}
        self._retries = {step: _RETRIES.labels(step) for step in steps}

    def advanced(self, courses: Collection[Course]) -> None:
        """Measure what the messages of a batch have made of sagas; call it once that is committed."""
        for course in courses:
            before = course.before
            for transition in course.transitions:
                self._transition(before, transition)
                before = transition.saga
        self._ended([course for course in courses if course.ends])

    def fired(self, transition: Transition) -> None:
        """Count what a deadline has made of a saga."""
        saga = transition.saga
        if transition.fit is Fit.GAVE_UP:
            _count_compensation(saga)
        elif saga.attempt > 1 and saga.step in self._retries:  # else it is the first one after an operator's action
            self._retries[saga.step].inc()

    def _transition(self, before: Instance | None, transition: Transition) -> None:
        event, after = transition.event, transition.saga
        if event is None:
            return
        if after.compensates and not (before and before.compensates):
            _count_compensation(after)
        seconds = self._steps.get((event.step or "", event.type))
        if seconds and before and before.step == event.step and before.waiting_since and transition.fit is Fit.ADVANCED:
            seconds.observe(_seconds(event.create_time - before.waiting_since))

    def _ended(self, courses: Collection[Course]) -> None:
        """Measure sagas that have ended. Of a batch the slowest one names its trace, as each name costs its time."""
        took = [(_seconds(one.after.update_time - one.after.create_time), one) for one in courses]
        slowest = max((seconds for seconds, _ in took), default=0.0)
        tally(_ENDED, (course.after.status.value for course in courses))
        for seconds, course in took:
            shown = recorded(course.cause.trace) if course.cause and seconds == slowest else None
            self._sagas[course.after.status].observe(seconds, exemplar(shown))


def operated(events: Iterable[Event]) -> None:
    """Count what an operator's actions, which caused ``events``, have made of sagas."""
    _COMPENSATIONS.labels(CANCEL_REQUESTED).inc(sum(one.type is EventType.CANCEL_ACCEPTED for one in events))


def _count_compensation(saga: Instance) -> None:
    _COMPENSATIONS.labels(saga.reason if saga.reason in _REASONS else _REFUSED).inc()


def _seconds(duration: timedelta) -> float:
    """Return ``duration`` in seconds; a database's clock that was set back makes none of less than nothing."""
    return max(0.0, duration.total_seconds())
