"""Wires the orchestrator together and runs it: ``python -m orchestrator_svc [migrate]``."""

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import add_OrchestratorServiceServicer_to_server
from pydantic import Field

from orchestrator_svc.api import OrchestratorService
from orchestrator_svc.completed import Completed
from orchestrator_svc.manifest import MANIFEST
from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.offsets.group_lag import GroupLag
from sagakit.orchestrator.counts import SagaCounts
from sagakit.orchestrator.engine import SagaEngine
from sagakit.orchestrator.store import CHANNEL, SagaStore
from sagakit.orchestrator.timers import Timers
from sagakit.postgres.notifications import NotificationListener
from sagakit.rpc.server import Api
from sagakit.service.life import Parts, Wiring, main
from sagakit.service.settings import ServiceSettings


class OrchestratorSettings(ServiceSettings):
    """What the orchestrator reads from its environment."""

    saga_time_scale: float = Field(
        default=1.0, gt=0, le=1000, description="Multiplies every time-out and cap of the saga's declaration."
    )
    timer_interval_seconds: float = Field(
        default=1.0,
        gt=0,
        le=60,
        description="How often the timers look for sagas whose deadline has passed, in seconds.",
    )
    timer_limit: int = Field(
        default=200, ge=1, le=10_000, description="Most sagas whose commands are sent again in one look."
    )


def wire(parts: Parts[OrchestratorSettings]) -> Wiring:
    """Put the service together."""
    read = parts.settings
    saga = ORDER_SAGA.scaled(read.saga_time_scale)
    store = SagaStore(saga.start)
    listener = NotificationListener(read.database_url, CHANNEL)
    lag = GroupLag(read.kafka_client(), MANIFEST.name, MANIFEST.topics)
    service = OrchestratorService(parts.database, saga, store, listener, lag)
    timers = Timers(
        parts.database,
        saga,
        store,
        parts.codec,
        parts.producer,
        lag=lag,
        interval_seconds=read.timer_interval_seconds,
        limit=read.timer_limit,
    )
    return Wiring(
        apis=[
            Api.of(
                orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"],
                scope,
                service,
                add_OrchestratorServiceServicer_to_server,
            )
        ],
        handle=SagaEngine(saga, store, Completed(read.kafka_client(), parts.codec, lag).among).handle,
        background=[timers, SagaCounts(parts.database, saga, store)],
        tasks=[listener.run],
    )


if __name__ == "__main__":
    main(MANIFEST, OrchestratorSettings, wire)
