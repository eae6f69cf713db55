"""Wires the delivery service together and runs it: ``python -m delivery_svc [migrate]``."""

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.delivery.v1.delivery_pb2_grpc import add_DeliveryServiceServicer_to_server

from delivery_svc.api import DeliveryService
from delivery_svc.handlers import cancel_delivery, create_delivery
from delivery_svc.manifest import MANIFEST
from sagakit.consumer.dispatch import dispatcher
from sagakit.rpc.server import Api
from sagakit.service.life import Parts, Wiring, main
from sagakit.service.settings import ServiceSettings


def wire(parts: Parts[ServiceSettings]) -> Wiring:
    """Put the service together."""
    service = DeliveryService(parts.database)
    return Wiring(
        apis=[
            Api.of(
                delivery_pb2.DESCRIPTOR.services_by_name["DeliveryService"],
                scope,
                service,
                add_DeliveryServiceServicer_to_server,
            )
        ],
        handle=dispatcher(create_delivery, cancel_delivery),
    )


if __name__ == "__main__":
    main(MANIFEST, ServiceSettings, wire)
