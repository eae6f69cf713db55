"""Many sagas at once: the exact ones are shown first, then each is retried or cancelled, with a result for each."""

from collections.abc import Mapping
from typing import Final

import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from console_svc.acting import Action, Done, Form, Refused, actor_of
from console_svc.failures import CallFailed, senseless
from console_svc.jobs import Item
from console_svc.numbers import positive, positives
from console_svc.saga_filter import SagaFilter
from console_svc.sagas import listed, orders_of_user
from console_svc.visit import OPERATE, Page, Visit
from console_svc.words import plural, saga_status

_MOST: Final = 1000
_AT_ONCE: Final = 20
_LONGEST_REASON: Final = 500
VERBS: Final = {"retry": "Retry", "cancel": "Cancel"}


async def load(visit: Visit) -> Mapping[str, object]:
    """Read the sagas that are meant: those that were selected, or else all, as far as they pass the filter."""
    what = visit.text("do")
    if what not in VERBS:
        text = "Choose in the list of sagas what is to be done, and to which."
        raise CallFailed(text, grpc.StatusCode.INVALID_ARGUMENT, "")
    selected = _selected(visit.query.getlist("order"))
    wanted = SagaFilter.of(visit.query)
    if not selected and not wanted:
        text = "Nothing is selected and nothing filtered, so this would mean every saga. Select some, or set a filter."
        raise CallFailed(text, grpc.StatusCode.INVALID_ARGUMENT, "")
    of_user = await orders_of_user(visit, wanted)
    orders = of_user.ids
    if selected:
        orders = [one for one in selected if orders is None or one in orders]
    answer = await listed(visit, wanted, _MOST, orders)
    return {
        "do": what,
        "verb": VERBS[what],
        "found": list(answer.sagas),
        "more": bool(answer.next_page_token),
        "of_user": of_user,
        "wanted": wanted,
        "back": wanted.address(),
    }


def _selected(orders: list[str]) -> list[int]:
    """Return the orders that an address names; what is none is not left out, as none at all would mean every saga."""
    for one in orders:
        if positive(one) is None:
            raise senseless("An order's id is a whole number above zero", "order", one)
    if len(orders) > _MOST:
        raise senseless(f"At most {_MOST} sagas are selected at once", f"{len(orders)} orders", "")
    return positives(orders)


async def begin(visit: Visit, form: Form) -> Done:
    """Begin to retry or cancel the sagas that were shown, as a job."""
    what, reason = form.text("do"), form.text("reason")[:_LONGEST_REASON]
    named = form.text("orders").split(",")
    orders = positives(named)
    if what not in VERBS or len(orders) < len(named) or len(orders) > _MOST:
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
    job = visit.sources.jobs.start(title, visit.visitor.subject, items, work, _AT_ONCE)
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
