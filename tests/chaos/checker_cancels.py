"""Invariant (14): a cancel that was shown as accepted, or as too late, was so."""

import math
from collections.abc import Iterator

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.evidence import CancelCall, OrderRow, Outcome, SagaCall

_REASON = "CANCEL_REQUESTED"
_TOO_LATE = ("TOO_LATE", "FAILED_PRECONDITION")
"""A bulk action shows the reason, and a single one the status."""


def cancels_have_their_end(case: Case) -> Iterator[Violation]:
    """(14) A cancel that came in time ends ``CANCELLED``, with its reason; one that was late is said to be so."""
    asked = {call.order_id: call for call in case.evidence.cancels if call.outcome is Outcome.ACKNOWLEDGED}
    for order in case.rows.orders.values():
        if order.order_id in case.removed or order.status not in FINAL:
            continue
        yield from _as_the_history_says(case, order)
        if order.order_id in asked:
            yield from _heard_of(case, order, asked[order.order_id])
    for call in case.evidence.saga_calls:
        if call.name == "CancelSaga":
            yield from _operators(case, call)


def _as_the_history_says(case: Case, order: OrderRow) -> Iterator[Violation]:
    events = {event.type for event in case.history[order.order_id]}
    ended = f"order {order.order_id} is {order.status} ({order.cancel_reason})"
    as_accepted = order.cancel_reason == _REASON or case.forgot_why(order.order_id)
    if "CANCEL_ACCEPTED" in events and not (order.status == "CANCELLED" and as_accepted):
        yield Violation(14, f"{ended}, and its cancel was accepted")
    if "CANCEL_TOO_LATE" in events and order.status != "COMPLETED":
        yield Violation(14, f"{ended}, and its cancel came too late")


def _heard_of(case: Case, order: OrderRow, call: CancelCall) -> Iterator[Violation]:
    events = {event.type for event in case.history[order.order_id]}
    if order.cancel_time is None:
        yield Violation(14, f"the cancel of order {order.order_id} was acknowledged, and is not noted on it")
    lost = case.incarnation["order-created"]  # it is announced again only while the order is PENDING
    # What came too late is passed over without a line where it is read again.
    passed_over = case.may_be_forgotten("orchestrator_svc", call.began, math.inf)
    if order.status == "COMPLETED" and "CANCEL_TOO_LATE" not in events and not lost and not passed_over:
        yield Violation(14, f"order {order.order_id} is COMPLETED, and its saga does not say what became of the cancel")


def _operators(case: Case, call: SagaCall) -> Iterator[Violation]:
    order = case.rows.orders.get(call.order_id)
    if order is None or order.order_id in case.removed or order.status not in FINAL:
        return
    if case.may_be_forgotten("orchestrator_svc", call.began, call.ended):
        return  # what an operator decides is in no topic
    done = f"an operator's cancel of order {call.order_id} was"
    if call.outcome is Outcome.ACKNOWLEDGED and order.status != "CANCELLED":
        yield Violation(14, f"{done} acknowledged, and it is {order.status}")
    if call.code in _TOO_LATE and order.status != "COMPLETED":
        yield Violation(14, f"{done} refused as too late, and it is {order.status} ({order.cancel_reason})")
