"""What ``ordersaga --version`` says."""

from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.messages import RECORDS
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from ordersaga_cli import __version__

_APIS = (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2)


def lines() -> list[str]:
    """Return the version, and the contracts of this version: the gRPC APIs, and the records in Kafka."""
    return [
        f"ordersaga {__version__}",
        f"gRPC      {', '.join(api.DESCRIPTOR.package for api in _APIS)}",
        f"records   {', '.join(sorted(record.__name__ for record in RECORDS))}",
    ]
