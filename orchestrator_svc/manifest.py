"""What the orchestrator is. What it handles and publishes follows from the saga."""

from ordersaga.messages import CompleteOrderCommand

from orchestrator_svc.order_saga import ORDER_SAGA
from sagakit.service.manifest import Manifest

MANIFEST = Manifest(
    name="orchestrator_svc",
    description="drives each order's saga",
    grpc_port=50054,
    metrics_port=9104,
    rules="order_saga",
    reads=ORDER_SAGA.hears,
    writes=ORDER_SAGA.commands,
    rereads=(CompleteOrderCommand,),
)
