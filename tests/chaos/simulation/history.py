"""Which histories a saga may have, written down a second time, so that the engine is not judged by itself."""

from collections.abc import Sequence

from sagakit.saga.instance import Event, Instance

Stage = tuple[str, str | None]
"""A saga's status and the step whose reply it awaits."""

DECREASE, DELIVER = "decrease-product", "create-delivery"
RUNNING_FIRST, RUNNING_SECOND = ("RUNNING", DECREASE), ("RUNNING", DELIVER)
UNDOING_FIRST, UNDOING_SECOND = ("COMPENSATING", DECREASE), ("COMPENSATING", DELIVER)
COMPLETED, COMPENSATED = ("COMPLETED", None), ("COMPENSATED", None)
_ALL: list[Stage] = [RUNNING_FIRST, RUNNING_SECOND, UNDOING_FIRST, UNDOING_SECOND, COMPLETED, COMPENSATED]

FIRST = {"STARTED": RUNNING_FIRST, "CANCEL_ACCEPTED": UNDOING_SECOND}
"""How a history may begin."""

_UNDONE_BEFORE: dict[Stage, set[Stage]] = {
    RUNNING_FIRST: {UNDOING_SECOND},
    RUNNING_SECOND: {UNDOING_SECOND},
    COMPLETED: {COMPLETED},
}
LEGAL: dict[tuple[str, str | None], dict[Stage, set[Stage]]] = {
    ("STEP_DONE", DECREASE): {RUNNING_FIRST: {RUNNING_SECOND}},
    ("STEP_DONE", DELIVER): {RUNNING_SECOND: {COMPLETED}},
    ("STEP_REFUSED", DECREASE): {
        RUNNING_FIRST: {COMPENSATED},
        # It was done, and its participant's database went back.
        RUNNING_SECOND: {UNDOING_SECOND},
        COMPLETED: {COMPLETED},
    },
    ("STEP_REFUSED", DELIVER): {RUNNING_SECOND: {UNDOING_FIRST}, COMPLETED: {COMPLETED}},
    # What was not being undone was to be, before the orchestrator's database went back.
    ("STEP_UNDONE", DELIVER): {UNDOING_SECOND: {UNDOING_FIRST}, **_UNDONE_BEFORE},
    ("STEP_UNDONE", DECREASE): {UNDOING_FIRST: {COMPENSATED}, **_UNDONE_BEFORE},
    ("STEP_TIMED_OUT", DECREASE): {
        RUNNING_FIRST: {RUNNING_FIRST, UNDOING_FIRST},
        UNDOING_FIRST: {UNDOING_FIRST},
    },
    ("STEP_TIMED_OUT", DELIVER): {
        RUNNING_SECOND: {RUNNING_SECOND, UNDOING_SECOND},
        UNDOING_SECOND: {UNDOING_SECOND},
    },
    ("STUCK", DECREASE): {UNDOING_FIRST: {UNDOING_FIRST}},
    ("STUCK", DELIVER): {UNDOING_SECOND: {UNDOING_SECOND}},
    ("CANCEL_ACCEPTED", DECREASE): {RUNNING_FIRST: {UNDOING_SECOND}},
    ("CANCEL_ACCEPTED", DELIVER): {RUNNING_SECOND: {UNDOING_SECOND}},
    ("CANCEL_TOO_LATE", None): {COMPLETED: {COMPLETED}},
    **{("RETRIED", step): {stage: {stage} for stage in _ALL if stage[1] == step} for step in (DECREASE, DELIVER, None)},
}
"""By what happened, and to which step: from which stage to which."""


def why_illegal(saga: Instance, events: Sequence[Event]) -> str | None:
    """Return what is wrong with a saga's history, if anything is."""
    versions = [event.version for event in events]
    if not events or versions != sorted(set(versions)) or saga.version < versions[-1]:
        return f"the versions {versions} do not lead to {saga.version}"
    if events[0].type not in FIRST:
        return f"it begins with {events[0].type}"
    stages: set[Stage] = {FIRST[events[0].type]}
    for event in events[1:]:
        stages = {to for stage in stages for to in LEGAL.get((event.type, event.step), {}).get(stage, set())}
        if not stages:
            return f"{event.type} of {event.step} cannot follow what came before version {event.version}"
    if (saga.status, saga.step) not in stages:
        return f"it leads to {stages}, not to {saga.status} at {saga.step}"
    return None
