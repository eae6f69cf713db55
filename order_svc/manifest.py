"""What the order service is."""

from ordersaga.messages import CancelOrderCommand, CompleteOrderCommand, OrderCancelRequested, OrderCreated

from sagakit.service.manifest import Manifest

MANIFEST = Manifest(
    name="order_svc",
    description="takes orders, and says what became of them",
    grpc_port=50051,
    metrics_port=9101,
    rules="orders",
    reads=(CompleteOrderCommand, CancelOrderCommand),
    writes=(OrderCreated, OrderCancelRequested),
    rereads=(OrderCreated, OrderCancelRequested),
)
