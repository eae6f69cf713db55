"""What a run knows of the orders that violations name: calls, messages and history by time, and the rows at the end."""

import re
from collections.abc import Iterator, Sequence

from tests.chaos.checker_common import Case, Violation
from tests.chaos.evidence import Call, Record

_NAMED = re.compile(r"\b(?:order|saga) (\d+)")
"""How the texts of violations name an order, or its saga, which has the same id."""
_MOST_ORDERS = 10
_CLOCK = "Times are seconds of the recording, which began some seconds before the time line of the faults."

Moment = tuple[float, str]
"""A second of the recording, and what happened then."""


def orders_of(violations: Sequence[Violation], case: Case) -> Iterator[str]:
    """Yield the lines of a chapter on the orders that ``violations`` name; none where they name none."""
    named = dict.fromkeys(int(found) for violation in violations for found in _NAMED.findall(violation.text))
    if not named:
        return
    yield from ("", "## The orders of the violations", "", _CLOCK)
    for order_id in list(named)[:_MOST_ORDERS]:
        yield from ("", f"### Order {order_id}", "", "```text")
        yield from (f"{second:8.2f}  {text}" for second, text in sorted(_moments(case, order_id)))
        yield from (f"   stored  {row}" for row in _rows(case, order_id))
        yield "```"
    if len(named) > _MOST_ORDERS:
        yield from ("", f"… and {len(named) - _MOST_ORDERS} more orders")


def _moments(case: Case, order_id: int) -> Iterator[Moment]:
    evidence = case.evidence
    for call in _calls(case, order_id):
        yield call.began, f"call    {call}"
    for record in case.records_of[order_id]:
        yield record.seen, f"message {_record(case, record)}"
    for event in case.history[order_id]:
        yield evidence.second(event.create_time), f"history {event}"
    for back in evidence.went_back:
        yield back.time, f"fault   the database of {back.service} is as it was at {back.since:.2f}"


def _calls(case: Case, order_id: int) -> Iterator[Call]:
    evidence = case.evidence
    requests = {call.request_id for call in evidence.creates if call.order_id == order_id}
    yield from (call for call in evidence.creates if call.request_id in requests)
    yield from (call for call in evidence.cancels if call.order_id == order_id)
    yield from (call for call in evidence.saga_calls if call.order_id == order_id)


def _record(case: Case, record: Record) -> str:
    letter = case.letter(record)
    marks = [
        f"id {record.message_id}",
        f"caused by {record.causation_id}" if record.causation_id else "",
        "forged" if case.forged(record) else "",
        f"parked as {letter.reason}" if letter else "",
    ]
    fields = {name: value for name, value in record.fields.items() if name != "order_id"}
    return f"{record.place} {record.type} {fields}; {', '.join(filter(None, marks))}"


def _rows(case: Case, order_id: int) -> Iterator[object]:
    rows = case.rows
    tables = (case.removed, rows.orders, rows.movements, rows.deliveries, rows.sagas)
    yield from (table[order_id] for table in tables if order_id in table)
