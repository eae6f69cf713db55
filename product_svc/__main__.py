"""Wires the product service together and runs it: ``python -m product_svc [migrate]``."""

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.product.v1 import product_pb2
from ordersaga.product.v1.product_pb2_grpc import add_ProductServiceServicer_to_server

from product_svc.api import ProductService
from product_svc.handlers import decrease_product, increase_product
from product_svc.manifest import MANIFEST
from sagakit.consumer.dispatch import dispatcher
from sagakit.rpc.server import Api
from sagakit.service.life import Parts, Wiring, main
from sagakit.service.settings import ServiceSettings


def wire(parts: Parts[ServiceSettings]) -> Wiring:
    """Put the service together."""
    service = ProductService(parts.database)
    return Wiring(
        apis=[
            Api.of(
                product_pb2.DESCRIPTOR.services_by_name["ProductService"],
                scope,
                service,
                add_ProductServiceServicer_to_server,
            )
        ],
        handle=dispatcher(decrease_product, increase_product),
    )


if __name__ == "__main__":
    main(MANIFEST, ServiceSettings, wire)
