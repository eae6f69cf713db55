"""Many sagas at once: the exact ones are shown first, then each is retried or cancelled, with a result for each."""

from collections.abc import Mapping
from typing import Final

import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.acting import Action, Done, Form, Refused, actor_of
from console_svc.failures import CallFailed
from console_svc.jobs import Item
from console_svc.numbers import positives
from console_svc.saga_filter import SagaFilter
from console_svc.sagas import orders_of_user
from console_svc.visit import OPERATE, Page, Visit
from console_svc.words import plural, saga_status

_MOST: Final = 1000
_AT_ONCE: Final = 20
_LONGEST_REASON: Final = 500
VERBS: Final = {"retry": "Retry", "cancel": "Cancel"}


async def load(visit: Visit) -> Mapping[str, object]:
    """Read the sagas that are meant: those that were selected, or all that pass the filter."""
    what = visit.text("do")
    if what not in VERBS:
        text = "Choose in the list of sagas what is to be done, and to which."
        raise CallFailed(text, grpc.StatusCode.INVALID_ARGUMENT, "")
    selected = positives(visit.query.getlist("order")[:_MOST])
    wanted = SagaFilter.of(visit.query)
    if not selected and not wanted:
        text = "Nothing is selected and nothing filtered, so this would mean every saga. Select some, or set a filter."
        raise CallFailed(text, grpc.StatusCode.INVALID_ARGUMENT, "")
    sagas = visit.services.sagas
    orders = selected or await orders_of_user(visit, wanted)
    request = (
        pb.ListSagasRequest(page_size=_MOST, order_ids=selected) if selected else wanted.request(_MOST, "", orders)
    )
    answer = await visit.ask(sagas, sagas.stub.ListSagas, request) if orders != [] else pb.ListSagasResponse()
    return {
        "do": what,
        "verb": VERBS[what],
        "found": list(answer.sagas),
        "more": bool(answer.next_page_token),
        "back": wanted.address(),
    }


async def begin(visit: Visit, form: Form) -> Done:
    """Begin to retry or cancel the sagas that were shown, as a job."""
    what, reason = form.text("do"), form.text("reason")[:_LONGEST_REASON]
    orders = positives(form.text("orders").split(","))
    if what not in VERBS or not orders or len(orders) > _MOST:
        raise Refused("Select the sagas again.")
    if what == "cancel" and not reason:
        raise Refused("Say why they are to be cancelled: it stands in each history.")
    actor, sagas = actor_of(visit, form), visit.services.sagas

    async def work(items: list[Item]) -> None:
        wanted = pb.SagaFilter(order_ids=[int(item.key) for item in items])
        try:
            if what == "retry":
                asked = pb.RetrySagasRequest(filter=wanted, actor=actor, reason=reason, limit=len(items))
                results = (await visit.ask(sagas, sagas.stub.RetrySagas, asked)).results
            else:
                cancelled = pb.CancelSagasRequest(filter=wanted, actor=actor, reason=reason, limit=len(items))
                results = (await visit.ask(sagas, sagas.stub.CancelSagas, cancelled)).results
        except CallFailed as error:
            for item in items:
                item.end(error.sentence, good=False)
            return
        told = {result.order_id: result for result in results}
        for item in items:
            _note(item, told.get(int(item.key)), what)

    items = [Item(str(one), f"/sagas/{one}") for one in dict.fromkeys(orders)]
    title = f"{VERBS[what]} {plural(len(items), 'saga')}"
    job = visit.sources.jobs.start(title, visit.visitor.token, items, work, _AT_ONCE)
    return Done("", f"/jobs/{job.id}")


def _note(item: Item, result: pb.SagaResult | None, what: str) -> None:
    if result is None:
        item.end("There is no such saga any more, or the answer had no room for it.", good=False)
    elif result.error_reason or result.error_message:
        item.end(f"{result.error_message} ({result.error_reason})", good=False)
    elif what == "retry":
        item.end(f"{result.saga.pending_command} is sent again", good=True)
    else:
        item.end(f"is {saga_status(result.saga.status).lower()}", good=True)


PAGE = Page("/bulk", "Many sagas", "bulk.html", load)
ACTIONS = (Action("/bulk", "/sagas", OPERATE, begin),)
