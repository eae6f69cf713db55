"""Wires the orchestrator together and runs it: ``python -m orchestrator_svc [migrate]``."""

from ordersaga.messages import RECORDS, DeliveryCreated, OrderCreated, ProductDecreased
from ordersaga.orchestrator.v1 import orchestrator_pb2, orchestrator_pb2_grpc

from chassis.rpc_server import Api
from chassis.service import Parts, Wiring, main
from chassis.settings import ServiceSettings
from orchestrator_svc.api import OrchestratorService
from orchestrator_svc.order_saga import ORDER_SAGA
from saga.engine import SagaEngine
from saga.store import SagaStore


def wire(parts: Parts[ServiceSettings]) -> Wiring:
    """Put the service together."""
    store = SagaStore(ORDER_SAGA.start)
    service = OrchestratorService(parts.async_engine, ORDER_SAGA, store)
    add = orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server
    name = orchestrator_pb2.DESCRIPTOR.services_by_name["OrchestratorService"].full_name
    return Wiring(
        apis=[Api(name, lambda server: add(service, server))],
        topics=[OrderCreated.TOPIC, ProductDecreased.TOPIC, DeliveryCreated.TOPIC],
        handle=SagaEngine(ORDER_SAGA, store).handle,
    )


if __name__ == "__main__":
    main("orchestrator_svc", ServiceSettings, RECORDS, wire)
