"""One saga: where it stands, what it waits for, how it got there, and what can be done."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2
from ordersaga.order.v1 import order_pb2

from console_svc.acting import Action, Done, Form, Refused, actor_of
from console_svc.failures import CallFailed, attempt
from console_svc.visit import OPERATE, Page, Visit

_HISTORY = 100
_LONGEST_REASON = 500
_ENDED_SECONDS = 5.0
ENDED = {pb.SAGA_STATUS_COMPLETED, pb.SAGA_STATUS_COMPENSATED}
_ENDS = {
    pb.SAGA_STATUS_COMPLETED: (pb.SAGA_EVENT_TYPE_STEP_DONE,),
    pb.SAGA_STATUS_COMPENSATED: (pb.SAGA_EVENT_TYPE_STEP_UNDONE, pb.SAGA_EVENT_TYPE_STEP_REFUSED),
}
"""The events with which a saga ends so; none of them follows its end."""


@dataclass(frozen=True)
class StepState:
    """One step of the way, as far as it has come."""

    name: str
    state: str
    """``done``, ``waiting``, ``undoing``, ``undone``, ``refused`` or ``ahead``."""
    pivot: bool
    event: pb.SagaEvent | None
    """What said so last."""


async def load(visit: Visit) -> Mapping[str, object]:
    """Read one saga, a page of its history, and its order."""
    order_id, is_newest = visit.order_id, not visit.text("before")
    answer, order, declaration = await asyncio.gather(
        _saga(visit, order_id), attempt(_order(visit, order_id)), _declaration(visit)
    )
    return {
        "saga": answer.saga,
        "history": list(answer.history),
        "older": answer.next_history_page_token,
        "is_newest": is_newest,
        "order": None if isinstance(order, CallFailed) else order,
        "order_trouble": order.sentence if isinstance(order, CallFailed) else "",
        "declared": declaration is not None,
        "steps": steps(answer.saga, list(answer.history), declaration) if declaration else [],
        "ended": answer.saga.status in ENDED,
        "end": end_of(answer.saga, list(answer.history)) if is_newest else None,
        "every": _ENDED_SECONDS if answer.saga.status in ENDED else PAGE.every,
    }


async def _saga(visit: Visit, order_id: int) -> pb.GetSagaResponse:
    request = pb.GetSagaRequest(
        order_id=order_id, history_page_size=_HISTORY, history_page_token=visit.text("before")[:1000]
    )
    return await visit.ask(visit.services.sagas, visit.services.sagas.stub.GetSaga, request)


async def _order(visit: Visit, order_id: int) -> order_pb2.Order:
    orders = visit.services.orders
    return (await visit.ask(orders, orders.stub.GetOrder, order_pb2.GetOrderRequest(order_id=order_id))).order


async def _declaration(visit: Visit) -> steps_pb2.GetSagaDeclarationResponse | None:
    pulse = await visit.hub.pulse()
    return pulse.declaration


def steps(
    saga: pb.Saga, history: list[pb.SagaEvent], declaration: steps_pb2.GetSagaDeclarationResponse
) -> list[StepState]:
    """Return each declared step, and how far it has come by the newest event that says so."""
    said = {
        pb.SAGA_EVENT_TYPE_STEP_DONE: "done",
        pb.SAGA_EVENT_TYPE_STEP_REFUSED: "refused",
        pb.SAGA_EVENT_TYPE_STEP_UNDONE: "undone",
    }
    latest = {event.step: event for event in history if event.type in said}
    found = list[StepState]()
    for step in declaration.steps:
        event = latest.get(step.name)
        state = said[event.type] if event else "done" if saga.status == pb.SAGA_STATUS_COMPLETED else "ahead"
        if saga.step == step.name:
            state = "undoing" if saga.status == pb.SAGA_STATUS_COMPENSATING else "waiting"
        found.append(StepState(step.name, state, step.pivot, event))
    return found


def end_of(saga: pb.Saga, history: list[pb.SagaEvent]) -> Timestamp | None:
    """Return when a saga ended, by its newest events; None where it has not, or it is not among these.

    The last change may be a later one: somebody had the final command sent again, or asked for a cancel too late.
    """
    ends = _ENDS.get(saga.status, ())
    return next((event.create_time for event in reversed(history) if event.type in ends), None)


async def retry(visit: Visit, form: Form) -> Done:
    """Have the pending command sent again now."""
    order_id = visit.order_id
    request = pb.RetrySagaRequest(
        order_id=order_id, actor=actor_of(visit, form), reason=form.text("reason")[:_LONGEST_REASON]
    )
    sagas = visit.services.sagas
    saga = (await visit.ask(sagas, sagas.stub.RetrySaga, request)).saga
    return Done(f"{saga.pending_command or 'Its command'} is sent again.", f"/sagas/{order_id}")


async def cancel(visit: Visit, form: Form) -> Done:
    """Have the saga undo what was done."""
    order_id = visit.order_id
    if not form.text("reason"):
        raise Refused("Say why the saga is to be cancelled: it stands in the history.")
    request = pb.CancelSagaRequest(
        order_id=order_id, actor=actor_of(visit, form), reason=form.text("reason")[:_LONGEST_REASON]
    )
    sagas = visit.services.sagas
    await visit.ask(sagas, sagas.stub.CancelSaga, request)
    return Done("The saga is cancelled: it undoes what was done.", f"/sagas/{order_id}")


PAGE = Page("/sagas/{order_id}", "Saga", "saga.html", load, every=0.25)
ACTIONS = (
    Action("/sagas/{order_id}/retry", "/sagas/{order_id}", OPERATE, retry),
    Action("/sagas/{order_id}/cancel", "/sagas/{order_id}", OPERATE, cancel),
)
