"""Invariant (15): whatever call shows an order or a saga, it shows what was stored then, and never less than before."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import chain, combinations

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.checker_history import State, states_at
from tests.chaos.evidence import OrderList, OrderView, SagaView


def reads_agree(case: Case) -> Iterator[Violation]:
    """(15) Reads agree with the history, never go back, and show the content that was acknowledged."""
    streamed = (view for watch in case.evidence.order_watches for view in watch.views)
    orders: dict[int, list[OrderView]] = defaultdict(list)
    for order in chain(case.evidence.orders_seen, streamed):
        if order.order_id not in case.removed:  # such an id was given twice
            orders[order.order_id].append(order)
    for views in orders.values():
        yield from _orders(case, sorted(views, key=lambda view: view.ended))
    streamed_sagas = (view for watch in case.evidence.saga_watches for view in watch.views)
    sagas: dict[int, list[SagaView]] = defaultdict(list)
    for saga in chain(case.evidence.sagas_seen, streamed_sagas):
        sagas[saga.order_id].append(saga)
    for saga_views in sagas.values():
        yield from _sagas(case, sorted(saga_views, key=lambda view: view.ended))
    yield from _lists(case)


def shows_less(before: OrderView, later: OrderView) -> str | None:
    """Return what ``later``, which was read after ``before``, shows less of; None where nothing is missing."""
    if before.status in FINAL and (before.status, before.cancel_reason) != (later.status, later.cancel_reason):
        return f"was {before.status} and is {later.status} later"
    if later.update_time < before.update_time:
        return "has an earlier update_time than before"
    if before.cancel_time is not None and later.cancel_time != before.cancel_time:
        return "has lost its cancel_request_time"
    return None


def _orders(case: Case, views: Sequence[OrderView]) -> Iterator[Violation]:
    for view in views:
        named, row = f"{view.name}: order {view.order_id}", case.rows.orders.get(view.order_id)
        if view.update_time < view.create_time:
            yield Violation(15, f"{named} has an update_time before its create_time")
        if row is None or case.may_be_forgotten("order_svc", view.began, view.ended):
            continue
        if (view.content, view.create_time) != (row.content, row.create_time):
            yield Violation(15, f"{named} is shown as {view.content}, and stored as {row.content}")
        if view.status in FINAL and (view.status, view.cancel_reason) != (row.status, row.cancel_reason):
            yield Violation(15, f"{named} was shown to be {view.status}, and is {row.status} in the end")
        if view.update_time > row.update_time:
            yield Violation(15, f"{named} had an update_time that is later than its last")
    for before, later in combinations(views, 2):
        lost = shows_less(before, later) if before.ended <= later.began else None
        if lost and not case.may_be_forgotten("order_svc", before.began, before.ended):
            yield Violation(15, f"order {before.order_id}, shown by {before.name}, {lost}, shown by {later.name}")


def _sagas(case: Case, views: Sequence[SagaView]) -> Iterator[Violation]:
    for view in views:
        if not case.may_be_forgotten("orchestrator_svc", view.began, view.ended):
            yield from _as_in_history(case, view)
    for before, later in combinations(views, 2):
        if (before.version, before.update_time) > (later.version, later.update_time) and before.ended <= later.began:
            if case.may_be_forgotten("orchestrator_svc", before.began, before.ended):
                continue
            versions = (
                f"shown in version {before.version} by {before.name}, and in {later.version} by {later.name} later"
            )
            yield Violation(15, f"saga {before.order_id} was {versions}")


def _as_in_history(case: Case, view: SagaView) -> Iterator[Violation]:
    named, saga = f"{view.name}: saga {view.order_id}", case.rows.sagas.get(view.order_id)
    if saga is None or view.version > saga.version:
        yield Violation(15, f"{named} was shown in version {view.version}, and is {saga} in the end")
        return
    if view.update_time < view.create_time or view.create_time != saga.create_time:
        yield Violation(15, f"{named} was shown with other times than are stored")
    history = case.history[view.order_id]
    shown = State(view.status, view.step or None, view.reason or None)
    possible = states_at(case, view.order_id, view.version)
    if possible and shown not in possible:
        states = " or ".join(sorted(map(str, possible)))
        yield Violation(15, f"{named} was shown as {shown} in version {view.version}, its history says {states}")
    if view.history:
        until = max(view.version, view.history[-1][0])  # it is read after the saga, and may be ahead of it
        stored = tuple((event.version, event.type) for event in history if event.version <= until)
        if view.history != stored:
            yield Violation(15, f"{named} was shown with the history {view.history}, and has {stored}")


def _lists(case: Case) -> Iterator[Violation]:
    made: dict[int, list[tuple[float, int]]] = defaultdict(list)
    for order_id, call in case.evidence.acknowledged():
        if order_id not in case.removed:
            made[call.content.user_id].append((call.ended, order_id))
    for listed in case.evidence.lists:
        yield from _list(case, listed, {order_id for ended, order_id in made[listed.user_id] if ended <= listed.began})


def _list(case: Case, listed: OrderList, made: set[int]) -> Iterator[Violation]:
    named = f"ListOrders of user {listed.user_id}"
    if list(listed.order_ids) != sorted(set(listed.order_ids), reverse=True):
        yield Violation(15, f"{named} is not in descending order")
    missing = made - set(listed.order_ids)
    if missing and not case.may_be_forgotten("order_svc", 0.0, listed.ended):
        yield Violation(15, f"{named} leaves out {sorted(missing)}")
    strange = [
        order_id
        for order_id in listed.order_ids
        if order_id in case.rows.orders and case.rows.orders[order_id].content.user_id != listed.user_id
    ]
    if strange:
        yield Violation(15, f"{named} shows {strange}, which are another user's")
