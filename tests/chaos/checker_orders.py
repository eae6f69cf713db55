"""Invariants (1) and (4): what customers were shown, against what is stored."""

from collections import Counter, defaultdict
from collections.abc import Iterator

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.evidence import CreateCall, OrderRow, Outcome


def every_order_ends_once(case: Case) -> Iterator[Violation]:
    """(1) Every acknowledged order reaches exactly one final state; an unanswered one may exist, once."""
    for order_id, call in case.evidence.acknowledged():
        known = order_id in case.removed or order_id in case.rows.orders
        if not known and not case.lost(order_id, call):
            yield Violation(1, f"order {order_id} was acknowledged ({call.request_id}) and does not exist")
    for row in [*case.rows.orders.values(), *case.removed.values()]:
        first = case.removed.get(row.order_id, row) == row  # the others have an id that was given before
        if row.status not in FINAL and first:
            yield Violation(1, f"order {row.order_id} is {row.status} after the bound")
    keys = Counter((row.content.user_id, row.request_id) for row in case.rows.orders.values() if row.request_id)
    for (user_id, request_id), count in keys.items():
        if count > 1:
            yield Violation(1, f"request {request_id} of user {user_id} made {count} orders")
    yield from _endings(case)


def _endings(case: Case) -> Iterator[Violation]:
    commanded: dict[int, set[str]] = defaultdict(set)
    for record in case.evidence.records:
        if record.type in {"CompleteOrderCommand", "CancelOrderCommand"} and not case.forged(record):
            reason = record.fields.get("reason", "")
            if reason != "UNDONE" or not case.went_back("orchestrator_svc"):  # else it has forgotten why
                commanded[record.order_id].add(f"{record.type}({reason})")
    for order_id, endings in commanded.items():
        cancels = all(ending.startswith("CancelOrderCommand") for ending in endings)
        explained = case.undone_before(order_id) or (cancels and case.forgot_why(order_id))
        if len(endings) > 1 and not explained:
            yield Violation(
                1, f"order {order_id} was shown to end in {len(endings)} ways: {', '.join(sorted(endings))}"
            )
    for sample in case.evidence.offsets:
        for order_id, row in sample.rows.orders.items():
            now = case.rows.orders.get(order_id)
            if row.status not in FINAL or now is None or order_id in case.removed:
                continue
            if (row.status, row.cancel_reason) != (now.status, now.cancel_reason):
                yield Violation(1, f"order {order_id} was {row.status} and is {now.status} now")


def a_request_is_one_order(case: Case) -> Iterator[Violation]:
    """(4) The same request id gives the same order; other content under it is refused."""
    calls: dict[tuple[int, str], list[CreateCall]] = defaultdict(list)
    for call in case.evidence.creates:
        if call.request_id:
            calls[call.content.user_id, call.request_id].append(call)
        if call.outcome is Outcome.ACKNOWLEDGED and call.answered != call.content:
            yield Violation(4, f"order {call.order_id}: asked for {call.content}, answered {call.answered}")
    for (_, request_id), made in calls.items():
        yield from _one_request(case, request_id, made)
    for order_id, call in case.evidence.acknowledged():
        row = _row_of(case, order_id, call)
        if row is not None and row.content != call.content:
            yield Violation(4, f"order {order_id}: acknowledged as {call.content}, stored as {row.content}")


def _one_request(case: Case, request_id: str, made: list[CreateCall]) -> Iterator[Violation]:
    accepted = [call for call in made if call.outcome is Outcome.ACKNOWLEDGED]
    ids = {call.order_id for call in accepted}
    lost = {call.order_id for call in accepted if call.order_id and case.lost(call.order_id, call)}
    if len(ids - case.removed.keys() - lost) > 1:
        yield Violation(4, f"request {request_id} was answered with the orders {sorted(i or 0 for i in ids)}")
    if ids & case.removed.keys() or lost:
        return  # the database forgot what it had answered
    contents = {call.content for call in accepted}
    if len(contents) > 1:
        yield Violation(4, f"request {request_id} was accepted with {len(contents)} contents: order {ids}")
    for call in made:
        if call.code == "ALREADY_EXISTS" and call.content in contents:
            yield Violation(4, f"request {request_id} was refused for the content it had been accepted with")


def _row_of(case: Case, order_id: int, call: CreateCall) -> OrderRow | None:
    """Return the row that belongs to ``call``, also where its id was given twice."""
    if order_id not in case.removed:
        return case.rows.orders.get(order_id)
    rows = [case.removed[order_id], *filter(None, [case.rows.orders.get(order_id)])]
    return next((row for row in rows if row.request_id == call.request_id), None)
