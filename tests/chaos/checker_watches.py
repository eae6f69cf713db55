"""Invariant (16): a watch begins with what is there, goes forward, and shows the end."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from tests.chaos.checker_common import FINAL, Case, Violation
from tests.chaos.checker_reads import shows_less
from tests.chaos.evidence import OrderView, OrderWatch, SagaView, SagaWatch

_IN_TIME_SECONDS = 10.0
"""A notification may be lost with its connection; then a watcher looks by itself every five seconds."""
_SAGAS_IN_TIME_SECONDS = 25.0
"""The same, and the time of a saga's end is by its database's clock, which may be wrong."""
_SAGA_ENDS = ("COMPLETED", "COMPENSATED")


def watches_show_all(case: Case) -> Iterator[Violation]:
    """(16) Watches never go back, miss no end, and begin with the present state."""
    seen: dict[int, list[OrderView]] = defaultdict(list)
    for view in case.evidence.orders_seen:
        seen[view.order_id].append(view)
    for watch in case.evidence.order_watches:
        if watch.order_id not in case.removed and not _forgotten(case, "order_svc", watch):
            yield from _order(case, watch, [view for view in seen[watch.order_id] if view.ended <= watch.began])
    for sagas in case.evidence.saga_watches:
        if not _forgotten(case, "orchestrator_svc", sagas):
            yield from _sagas(case, sagas)


def _forgotten(case: Case, service: str, watch: OrderWatch | SagaWatch) -> bool:
    return case.may_be_forgotten(service, watch.began, watch.ended)


def _order(case: Case, watch: OrderWatch, before_it: Sequence[OrderView]) -> Iterator[Violation]:
    named = f"the watch of order {watch.order_id} from {watch.began:.1f} s"
    for before, later in pairwise(watch.views):
        lost = shows_less(before, later)
        if lost:
            yield Violation(16, f"{named}: the order {lost}")
    for seen in before_it if watch.views else []:
        lost = shows_less(seen, watch.views[0])
        if lost and not case.may_be_forgotten("order_svc", seen.began, seen.ended):
            yield Violation(16, f"{named} began with what was no more: the order {lost}")
    saw_the_end = bool(watch.views) and watch.views[-1].status in FINAL
    if watch.code == "OK" and not saw_the_end:
        yield Violation(16, f"{named} ended before its order")
    if saw_the_end and any(view.status in FINAL for view in watch.views[:-1]):
        yield Violation(16, f"{named} went on behind the order's end")
    row = case.rows.orders.get(watch.order_id)
    if row and row.status in FINAL and not saw_the_end:
        ended = max(watch.began, case.evidence.second(row.update_time))
        if _had_time(case, ended, watch.ended):
            yield Violation(16, f"{named} missed that the order was {row.status} at {ended:.1f} s")


def _had_time(case: Case, ended: float, until: float) -> bool:
    """Say whether a watch that lasted ``until`` a time had to show what ended before, as no fault prevented it."""
    disturbed = any(fault.began <= until and fault.ended + fault.settles >= ended for fault in case.evidence.faults)
    return until - ended > _IN_TIME_SECONDS and not disturbed


def _sagas(case: Case, watch: SagaWatch) -> Iterator[Violation]:
    named = f"the watch of sagas from {watch.began:.1f} s"
    last: dict[int, SagaView] = {}
    for view in watch.views:
        before = last.get(view.order_id)
        if before and (view.version, view.update_time) < (before.version, before.update_time):
            what = f"saga {view.order_id} was shown in version {before.version}, and then in {view.version}"
            yield Violation(16, f"{named}: {what}")
        last[view.order_id] = view
    yield from _beginnings(case, watch, named)
    heard = max((view.ended for view in watch.views), default=0.0)
    for view in last.values():
        saga = case.rows.sagas.get(view.order_id)
        ended = case.evidence.second(saga.update_time) if saga else 0.0
        missed = saga is not None and saga.status in _SAGA_ENDS and view.status not in _SAGA_ENDS
        if missed and heard - max(ended, watch.began) > _SAGAS_IN_TIME_SECONDS:  # it has shown others since
            yield Violation(16, f"{named} missed that saga {view.order_id} ended at {ended:.1f} s")


def _beginnings(case: Case, watch: SagaWatch, named: str) -> Iterator[Violation]:
    first = {view.order_id: view for view in reversed(watch.views)}
    for seen in case.evidence.sagas_seen:
        begins = first.get(seen.order_id)
        forgotten = case.may_be_forgotten("orchestrator_svc", seen.began, seen.ended)
        if begins and seen.ended <= watch.began and begins.version < seen.version and not forgotten:
            what = f"saga {seen.order_id} in version {begins.version}, which had been in {seen.version}"
            yield Violation(16, f"{named} began with {what}")
