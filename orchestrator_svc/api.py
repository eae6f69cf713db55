"""gRPC in: ``ordersaga.orchestrator.v1.OrchestratorService``."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp
from ordersaga.orchestrator.v1 import orchestrator_pb2 as pb
from ordersaga.orchestrator.v1 import orchestrator_pb2_grpc
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis.database import in_transaction
from chassis.errors import NotFound
from chassis.paging import last_id, next_page_token, page_size
from chassis.rpc_errors import Context
from saga import Saga
from saga.instance import Event, Instance, Status, pending_command, remaining_steps
from saga.store import SagaStore


class OrchestratorService(orchestrator_pb2_grpc.OrchestratorServiceServicer):
    """Translates between proto and sagas."""

    def __init__(self, engine: AsyncEngine, saga: Saga, store: SagaStore) -> None:
        """Serve the sagas of ``saga`` in ``engine``'s database."""
        self._engine, self._saga, self._store = engine, saga, store

    async def GetSaga(self, request: pb.GetSagaRequest, context: Context) -> pb.GetSagaResponse:
        """Return one saga with its history."""

        def read(tx: Connection) -> tuple[Instance | None, list[Event]]:
            return self._store.get(tx, request.order_id), self._store.history(tx, request.order_id)

        instance, history = await in_transaction(self._engine, read)
        if instance is None:
            raise NotFound("SAGA_NOT_FOUND", f"there is no saga of order {request.order_id}")
        return pb.GetSagaResponse(saga=self._proto(instance), history=map(_event, history))

    async def ListSagas(self, request: pb.ListSagasRequest, context: Context) -> pb.ListSagasResponse:
        """Return one page of sagas, by descending order id."""
        stuck = request.stuck if request.HasField("stuck") else None
        min_age = request.min_age.ToTimedelta() if request.HasField("min_age") else None
        filters = (request.status, request.step, stuck, min_age)
        before, size = last_id("sagas", filters, request.page_token), page_size(request.page_size)
        found = await in_transaction(
            self._engine,
            lambda tx: self._store.find(
                tx,
                before=before,
                limit=size + 1,
                status=Status(_NAMES[request.status]) if request.status else None,
                step=request.step or None,
                stuck=stuck,
                min_age=min_age,
            ),
        )
        more = next_page_token("sagas", filters, found[size - 1].saga_id) if len(found) > size else ""
        return pb.ListSagasResponse(sagas=map(self._proto, found[:size]), next_page_token=more)

    def _proto(self, instance: Instance) -> pb.Saga:
        return pb.Saga(
            order_id=instance.saga_id,
            status=_STATUSES[instance.status],
            step=instance.step or "",
            stuck=instance.stuck,
            reason=instance.reason or "",
            pending_command=type(pending_command(self._saga, instance)).__name__,
            attempt=instance.attempt,
            waiting_since=_time(instance.waiting_since),
            deadline=_time(instance.deadline),
            last_error=instance.last_error or "",
            remaining_steps=remaining_steps(self._saga, instance),
            version=instance.version,
            create_time=_time(instance.create_time),
            update_time=_time(instance.update_time),
        )


_NAMES = {
    pb.SAGA_STATUS_RUNNING: "RUNNING",
    pb.SAGA_STATUS_COMPENSATING: "COMPENSATING",
    pb.SAGA_STATUS_COMPLETED: "COMPLETED",
    pb.SAGA_STATUS_COMPENSATED: "COMPENSATED",
}
_STATUSES = {name: value for value, name in _NAMES.items()}


def _event(event: Event) -> pb.SagaEvent:
    return pb.SagaEvent(
        version=event.version,
        create_time=_time(event.create_time),
        type=pb.SagaEventType.Value(f"SAGA_EVENT_TYPE_{event.type}"),
        step=event.step or "",
        reason=event.reason or "",
        message_id=event.message_id,
    )


def _time(time: datetime | None) -> Timestamp | None:
    if time is None:
        return None
    timestamp = Timestamp()
    timestamp.FromDatetime(time)
    return timestamp
