"""Invariant (6): saga histories replayed through a state machine of the checker's own, made from the documents."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.evidence import SagaEvent, SagaRow

TAKE, DELIVER = "decrease-product", "create-delivery"
_BROUGHT_ABOUT_BY = {
    "STARTED": {"OrderCreated"},
    "STEP_DONE": {"ProductDecreased", "DeliveryCreated"},
    "STEP_REFUSED": {"ProductDecreased", "DeliveryCreated"},
    "STEP_UNDONE": {"ProductIncreased", "DeliveryCancelled"},
    "CANCEL_ACCEPTED": {"OrderCancelRequested"},
    "CANCEL_TOO_LATE": {"OrderCancelRequested"},
}
"""The record types that may bring an event about; where it has no message id, time or an operator did."""


@dataclass(frozen=True)
class State:
    """A saga's state, as far as its history shows it."""

    status: str
    step: str | None = None
    reason: str | None = None

    def __str__(self) -> str:
        """Write it short."""
        return " ".join(filter(None, [self.status, self.step, self.reason]))


def after(state: State | None, event: SagaEvent) -> set[State]:
    """Return every state that ``event`` may legally lead to from ``state`` (None: not begun); none where it may not."""
    if state is None:
        return {
            "STARTED": {State("RUNNING", TAKE)},
            "CANCEL_ACCEPTED": {State("COMPENSATING", DELIVER, "CANCEL_REQUESTED")},
        }.get(event.type, set())
    if event.type == "RETRIED":
        return {state}
    if event.type == "CANCEL_TOO_LATE":
        return {state} if state.status == "COMPLETED" else set()
    if state.step is None or event.step not in {state.step, None, ""}:
        return set()
    if state.status == "RUNNING":
        return _running(state.step, event)
    return _compensating(state.step, state, event)


def after_going_back(state: State | None, event: SagaEvent) -> set[State]:
    """Return what else ``event`` may lead to where a database went back: what was done may be refused, or undone."""
    refused, undone = (event.type, event.step) == ("STEP_REFUSED", TAKE), event.type == "STEP_UNDONE"
    if state is None or not (refused or undone):
        return set()
    if state.status == "COMPLETED":
        return {state}  # it is stuck
    if state.status == "RUNNING" and (undone or state.step == DELIVER):
        return {State("COMPENSATING", DELIVER, (event.reason or "").rpartition(": ")[2])}
    return set()


def _running(step: str, event: SagaEvent) -> set[State]:
    here = State("RUNNING", step)
    refused = State("COMPENSATED", None, event.reason) if step == TAKE else State("COMPENSATING", TAKE, event.reason)
    return {
        "STEP_DONE": {State("RUNNING", DELIVER) if step == TAKE else State("COMPLETED")},
        "STEP_REFUSED": {refused},
        "STEP_TIMED_OUT": {here, State("COMPENSATING", step, "TIMED_OUT")},  # it does not say whether it gave up
        "CANCEL_ACCEPTED": {State("COMPENSATING", DELIVER, "CANCEL_REQUESTED")},
        "STUCK": {here},
    }.get(event.type, set())


def _compensating(step: str, here: State, event: SagaEvent) -> set[State]:
    undone = State("COMPENSATED", None, here.reason) if step == TAKE else State("COMPENSATING", TAKE, here.reason)
    return {
        "STEP_UNDONE": {undone},
        "STEP_TIMED_OUT": {here},
        "STUCK": {here},
    }.get(event.type, set())


def histories_are_legal(case: Case) -> Iterator[Violation]:
    """(6) Saga history is monotone and legal, and leads to the saga as it is stored and to the order as it ended."""
    events: dict[int, list[SagaEvent]] = defaultdict(list)
    for event in case.rows.events:
        events[event.order_id].append(event)
    for saga in case.rows.sagas.values():
        yield from _replay(case, saga, events.pop(saga.order_id, []))
        yield from _ending(case, saga)
    for order_id in events:
        yield Violation(6, f"saga {order_id} has a history and does not exist")
    yield from _causes(case)
    yield from _backwards(case)


def _replay(case: Case, saga: SagaRow, history: list[SagaEvent]) -> Iterator[Violation]:
    named = f"saga {saga.order_id}"
    possible: set[State | None] = {None}
    version = 0
    for event in history:
        if event.version <= version:
            yield Violation(6, f"{named}: version {event.version} ({event.type}) follows version {version}")
        version = event.version
        following = {to for state in possible for to in after(state, event)}
        if case.evidence.went_back:
            following |= {to for state in possible for to in after_going_back(state, event)}
        if not following:
            states = " or ".join(sorted(str(state) for state in possible))
            yield Violation(6, f"{named}: {event.type} {event.step or ''} (version {version}) while {states}")
            return
        possible = set(following)
    stored = State(saga.status, saga.step, saga.reason or None)
    if stored not in possible:
        states = " or ".join(sorted(str(state) for state in possible))
        yield Violation(6, f"{named} is stored as {stored}, its history leads to {states}")
    if version > saga.version:
        yield Violation(6, f"{named} is stored in version {saga.version}, its history goes up to {version}")


def states_at(case: Case, order_id: int, version: int) -> set[State]:
    """Return every state that a saga may be in, in ``version``, by its history; none where that is not legal."""
    possible: set[State | None] = {None}
    for event in case.history[order_id]:
        if event.version <= version:
            following = {to for state in possible for to in after(state, event)}
            if case.evidence.went_back:
                following |= {to for state in possible for to in after_going_back(state, event)}
            possible = set(following)
    return {state for state in possible if state is not None}


def _ending(case: Case, saga: SagaRow) -> Iterator[Violation]:
    order = case.orders.get(saga.order_id)
    if order is None:
        yield Violation(6, f"saga {saga.order_id} is of an order that does not exist")
        return
    commanded = {"COMPLETED": ("COMPLETED", None), "COMPENSATED": ("CANCELLED", saga.reason)}.get(saga.status)
    ended = (order.status, order.cancel_reason or None)
    if (saga.reason == "UNDONE" and case.went_back("orchestrator_svc")) or case.forgot_why(saga.order_id):
        ended = (order.status, saga.reason or None)  # it knows another reason
    if order.status in FINAL and commanded != ended and not case.undone_before(saga.order_id):
        yield Violation(6, f"saga {saga.order_id} is {saga.status} ({saga.reason}), its order is {ended}")


def _causes(case: Case) -> Iterator[Violation]:
    for event in case.rows.events:
        allowed = _BROUGHT_ABOUT_BY.get(event.type)
        records = case.by_message.get(event.message_id, []) if event.message_id else []
        wrong = [r for r in records if allowed and (r.type not in allowed or r.order_id != event.order_id)]
        if wrong:
            text = f"saga {event.order_id}: {event.type} was brought about by {wrong[0].type} at {wrong[0].place}"
            yield Violation(6, text)
        if event.message_id and not records and not case.evidence.remade and case.evidence.records:
            yield Violation(6, f"saga {event.order_id}: {event.type} names {event.message_id}, which no topic holds")


def _backwards(case: Case) -> Iterator[Violation]:
    seen: dict[int, int] = {}
    backs = [back.time for back in case.evidence.went_back if back.service == "orchestrator_svc"]
    for sample in case.evidence.offsets:
        while backs and backs[0] <= sample.time:
            backs.pop(0)
            seen.clear()
        for saga in sample.rows.sagas.values():
            if saga.version < seen.get(saga.order_id, 0):
                yield Violation(6, f"saga {saga.order_id} went back to version {saga.version}")
            seen[saga.order_id] = saga.version
    for order_id, version in seen.items():
        last = case.rows.sagas.get(order_id)
        if last is None or last.version < version:
            yield Violation(6, f"saga {order_id} was in version {version} and is {last} now")
