"""The list of sagas: filtered by the address, page by page, with rows that stay where they are."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.order.v1 import order_pb2

from console_svc.numbers import positives
from console_svc.saga_filter import STATUSES, SagaFilter
from console_svc.visit import Page, Visit

_PAGE_SIZE = 50
_MOST_OF_A_USER = 1000
_MOST_ROWS = 100


async def load(visit: Visit) -> Mapping[str, object]:
    """Read one page of the list.

    A browser that shows rows already names them (``rows``): it gets these again, wherever they stand now, and the
    number of others that have come, so that nothing jumps under its cursor.
    """
    wanted = SagaFilter.of(visit.query)
    of_user = await orders_of_user(visit, wanted)
    rows = _rows(visit)
    asked, answer, count = await asyncio.gather(
        _rows_again(visit, rows),
        listed(visit, wanted, _PAGE_SIZE, of_user.ids, visit.text("page")),
        _count(visit, wanted),
    )
    passing = {saga.order_id for saga in answer.sagas}
    sagas = sorted(asked, key=lambda saga: -saga.order_id) if rows else list(answer.sagas)
    return {
        "wanted": wanted,
        "statuses": STATUSES,
        "sagas": sagas,
        "gone": await _gone(visit, wanted, rows, passing) if rows else set(),
        "fresh": len(passing - set(rows)) if rows else 0,
        "count": count,
        "next_page": answer.next_page_token,
        "is_first": not visit.text("page"),
        "of_user": of_user,
    }


async def listed(
    visit: Visit, wanted: SagaFilter, size: int, orders: list[int] | None, page: str = ""
) -> pb.ListSagasResponse:
    """Return ``size`` of the sagas that are wanted, of these ``orders`` only where they are given."""
    request = wanted.request(size, page, orders)
    if request is None:
        return pb.ListSagasResponse()
    sagas = visit.services.sagas
    return await visit.ask(sagas, sagas.stub.ListSagas, request)


async def _rows_again(visit: Visit, rows: list[int]) -> list[pb.Saga]:
    if not rows:
        return []
    sagas = visit.services.sagas
    request = pb.ListSagasRequest(page_size=len(rows), order_ids=rows)
    return list((await visit.ask(sagas, sagas.stub.ListSagas, request)).sagas)


async def _gone(visit: Visit, wanted: SagaFilter, rows: list[int], passing: set[int]) -> set[int]:
    """Return those of ``rows`` that no longer pass the filter; newer ones may have pushed others off the page."""
    doubtful = [row for row in rows if row not in passing]
    if not doubtful or not wanted:
        return set()
    still = await listed(visit, wanted, len(doubtful), doubtful)
    return set(doubtful) - {saga.order_id for saga in still.sagas}


async def _count(visit: Visit, wanted: SagaFilter) -> pb.CountSagasResponse | None:
    """Return how many sagas pass, where they are few enough to be counted each second."""
    if not wanted.is_of_sagas_under_way:
        return None
    sagas = visit.services.sagas
    return await visit.ask(sagas, sagas.stub.CountSagas, pb.CountSagasRequest(filter=wanted.proto()))


class OfUser(NamedTuple):
    """The orders of the user that is asked for."""

    ids: list[int] | None
    """The newest; None where no user is asked for, so that any order will do."""
    more: bool
    """Whether that user has older ones, which are not looked at."""


async def orders_of_user(visit: Visit, wanted: SagaFilter) -> OfUser:
    """Return the newest orders of the user that is asked for, as many as one request for sagas can name."""
    if not wanted.user:
        return OfUser(None, more=False)
    orders, ids, token = visit.services.orders, list[int](), ""
    while len(ids) < _MOST_OF_A_USER:  # an answer with long texts has fewer
        request = order_pb2.ListOrdersRequest(
            user_id=int(wanted.user), page_size=_MOST_OF_A_USER - len(ids), page_token=token
        )
        answer = await visit.ask(orders, orders.stub.ListOrders, request)
        ids += [order.order_id for order in answer.orders]
        token = answer.next_page_token
        if not token:
            break
    return OfUser(ids, more=bool(token))


def _rows(visit: Visit) -> list[int]:
    return positives(visit.text("rows").split(",")[:_MOST_ROWS])


PAGE = Page("/sagas", "Sagas", "sagas.html", load, every=0.5)
