"""Sagas in the API's messages."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb

from sagakit.errors import Refused
from sagakit.orchestrator.faults import fault_of
from sagakit.saga import Saga
from sagakit.saga.filter import Filter
from sagakit.saga.instance import Event, EventType, Instance, Status, pending_command, remaining_steps

_NAMES = {
    pb.SAGA_STATUS_RUNNING: "RUNNING",
    pb.SAGA_STATUS_COMPENSATING: "COMPENSATING",
    pb.SAGA_STATUS_COMPLETED: "COMPLETED",
    pb.SAGA_STATUS_COMPENSATED: "COMPENSATED",
}
_STATUSES = {name: value for value, name in _NAMES.items()}
_LONGEST_TEXT = 1000
"""In characters; a participant's reason may be of any length."""


def status_of(asked: pb.SagaStatus.ValueType) -> Status | None:
    """Return the status that a filter asks for; None where it asks for none."""
    return Status(_NAMES[asked]) if asked else None


def filter_of(asked: pb.SagaFilter) -> Filter:
    """Return the filter of a request: without status and ids it picks sagas under way."""
    return Filter(
        status=status_of(asked.status),
        step=asked.step or None,
        stuck=asked.stuck if asked.HasField("stuck") else None,
        min_age=asked.min_age.ToTimedelta() if asked.HasField("min_age") else None,
        ids=list(asked.order_ids) or None,
        under_way=not asked.status and not asked.order_ids,
    )


def saga_view(saga: Saga, instance: Instance) -> pb.Saga:
    """Return the API's message of one saga; of one that this version cannot read, the row's values and the fault."""
    fault = fault_of(saga, instance)
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
