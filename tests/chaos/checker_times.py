"""Invariant (17): times run forward, within a saga, its history, an order, a delivery and a movement of stock."""

from collections.abc import Iterator
from itertools import pairwise

from tests.chaos.checker_common import Case, Violation
from tests.chaos.evidence import DeliveryRow, MovementRow, OrderRow, SagaRow


def times_run_forward(case: Case) -> Iterator[Violation]:
    """(17) No later line has an earlier time, and nothing was changed before it was there."""
    kinds = (case.rows.orders, case.rows.movements, case.rows.deliveries, case.rows.sagas)
    for row in (row for rows in kinds for row in rows.values()):
        if row.update_time < row.create_time:
            yield Violation(17, f"{_named(row)} was changed {row.create_time - row.update_time} µs before it was made")
    for order in case.rows.orders.values():
        if order.cancel_time is not None and not order.create_time <= order.cancel_time <= order.update_time:
            yield Violation(
                17, f"the cancel of order {order.order_id} was not asked for between its first and last time"
            )
    for saga in case.rows.sagas.values():
        yield from _history(case, saga)


def _named(row: OrderRow | MovementRow | DeliveryRow | SagaRow) -> str:
    return f"the {type(row).__name__.removesuffix('Row').lower()} of order {row.order_id}"


def _history(case: Case, saga: SagaRow) -> Iterator[Violation]:
    lines = case.history[saga.order_id]
    for before, later in pairwise(lines):
        if later.create_time < before.create_time:
            what = f"{later.type} (version {later.version}) has an earlier time than {before.type} before it"
            yield Violation(17, f"saga {saga.order_id}: {what}")
    if lines and not saga.create_time <= lines[0].create_time <= lines[-1].create_time <= saga.update_time:
        yield Violation(17, f"saga {saga.order_id} has a history that is not between its first and last time")
