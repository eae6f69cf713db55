"""Sagas in the API's messages."""

from dataclasses import replace
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import steps_pb2

from sagakit.errors import Refused
from sagakit.orchestrator.faults import fault_of
from sagakit.orchestrator.store import Count
from sagakit.saga import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status, pending_command, remaining_steps
from sagakit.trace_context import stored

_NAMES = {
    pb.SAGA_STATUS_RUNNING: "RUNNING",
    pb.SAGA_STATUS_COMPENSATING: "COMPENSATING",
    pb.SAGA_STATUS_COMPLETED: "COMPLETED",
    pb.SAGA_STATUS_COMPENSATED: "COMPENSATED",
}
_STATUSES = {name: value for value, name in _NAMES.items()}
_LONGEST_TEXT = 1000
"""In characters; a participant's reason may be of any length."""


def filter_of(asked: pb.SagaFilter | pb.ListSagasRequest) -> Filter:
    """Return what is asked for, whether a saga has ended or not."""
    return Filter(
        status=Status(_NAMES[asked.status]) if asked.status else None,
        step=asked.step or None,
        stuck=asked.stuck if asked.HasField("stuck") else None,
        min_age=asked.min_age.ToTimedelta() if asked.HasField("min_age") else None,
        retrying=asked.retrying if asked.HasField("retrying") else None,
        reason=asked.reason or None,
        ids=list(asked.order_ids) or None,
    )


def filter_under_way(asked: pb.SagaFilter) -> Filter:
    """Return what is asked for; without status and ids only the sagas under way."""
    return replace(filter_of(asked), under_way=not asked.status and not asked.order_ids)


def saga_view(saga: Saga, instance: Instance) -> pb.Saga:
    """Return the API's message of one saga; of one that this version cannot read, the row's values and the fault."""
    fault, trace = fault_of(saga, instance), stored(instance.traceparent)
    return pb.Saga(
        order_id=instance.saga_id,
        status=_STATUSES.get(instance.status, pb.SAGA_STATUS_UNSPECIFIED),
        step=_shown(instance.step),
        stuck=instance.stuck,
        reason=_shown(instance.reason),
        pending_command="" if fault else type(pending_command(saga, instance)).__name__,
        attempt=instance.attempt,
        waiting_since=_time(instance.waiting_since),
        deadline=_time(instance.deadline),
        last_error=_shown(fault or instance.last_error),
        remaining_steps=[] if fault else remaining_steps(saga, instance),
        version=instance.version,
        create_time=_time(instance.create_time),
        update_time=_time(instance.update_time),
        pending=[] if instance.ended else [_pending(saga, instance, understood=not fault)],
        trace_id=trace.trace_id if trace else "",
    )


def _pending(saga: Saga, instance: Instance, *, understood: bool) -> steps_pb2.PendingCommand:
    return steps_pb2.PendingCommand(
        step=_shown(instance.step),
        command=type(pending_command(saga, instance)).__name__ if understood else "",
        attempt=instance.attempt,
        waiting_since=_time(instance.waiting_since),
        deadline=_time(instance.deadline),
    )


def count_view(count: Count) -> pb.SagaCount:
    """Return the API's message of how many sagas stand at one place."""
    return pb.SagaCount(
        status=_STATUSES.get(count.status, pb.SAGA_STATUS_UNSPECIFIED),
        step=_shown(count.step),
        stuck=count.stuck,
        retrying=count.retrying,
        count=count.sagas,
    )


def declaration_view(saga: Saga) -> steps_pb2.GetSagaDeclarationResponse:
    """Return the API's message of how ``saga`` is declared."""
    *commands, completed, compensated = saga.commands
    made = [
        steps_pb2.SagaStep(
            name=step.name,
            command=do.__name__,
            command_topic=do.TOPIC,
            reply=step.done.__name__,
            reply_topic=step.done.TOPIC,
            undo_command=undo.__name__,
            undo_reply=step.undone.__name__,
            pivot=at == saga.pivot,
        )
        for at, (step, do, undo) in enumerate(zip(saga.steps, commands[::2], commands[1::2], strict=True))
    ]
    return steps_pb2.GetSagaDeclarationResponse(
        name=saga.name,
        start=saga.start.__name__,
        steps=made,
        completed_command=completed.__name__,
        compensated_command=compensated.__name__,
    )


def event_view(event: Event) -> pb.SagaEvent:
    """Return the API's message of one event of a history."""
    known = event.type is not EventType.UNKNOWN
    return pb.SagaEvent(
        version=event.version,
        create_time=_time(event.create_time),
        type=pb.SagaEventType.Value(f"SAGA_EVENT_TYPE_{event.type if known else 'UNSPECIFIED'}"),
        step=_shown(event.step),
        reason=_shown(event.reason),
        message_id=event.message_id,
    )


def result_view(saga: Saga, saga_id: int, result: Instance | Refused) -> pb.SagaResult:
    """Return the result of an operator's action on one saga."""
    if isinstance(result, Refused):
        return pb.SagaResult(order_id=saga_id, error_reason=result.reason, error_message=str(result))
    return pb.SagaResult(order_id=saga_id, saga=saga_view(saga, result))


def _shown(text: str | None) -> str:
    return (text or "")[:_LONGEST_TEXT]


def _time(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
