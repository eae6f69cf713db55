"""The Overview: is all well, where are sagas now, and which of them need a person."""

import asyncio
from collections.abc import Mapping

from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.failures import CallFailed, attempt
from console_svc.visit import Page, Visit

_SHOWN = 8
_IN_NEED = 4


async def load(visit: Visit) -> Mapping[str, object]:
    """Read the sagas that need somebody, and those that began last."""
    sagas = visit.services.sagas
    requests = (
        pb.ListSagasRequest(page_size=_IN_NEED, stuck=True),
        pb.ListSagasRequest(page_size=_IN_NEED, retrying=True, stuck=False),
        pb.ListSagasRequest(page_size=_SHOWN),
    )
    calls = [visit.ask(sagas, sagas.stub.ListSagas, one) for one in requests]
    answers = await asyncio.gather(*map(attempt, calls))
    return {name: _sagas(answer) for name, answer in zip(("stuck", "late", "latest"), answers, strict=True)}


def _sagas(answer: pb.ListSagasResponse | CallFailed) -> list[pb.Saga] | None:
    """Return the sagas of an answer; None where there is no answer: the verdict says why."""
    if not isinstance(answer, CallFailed):
        return list(answer.sagas)
    if answer.is_signed_out:
        raise answer
    return None


PAGE = Page("/", "Overview", "overview.html", load, every=1.0)
