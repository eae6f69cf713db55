"""What the delivery service is."""

from ordersaga.messages import CancelDeliveryCommand, CreateDeliveryCommand, DeliveryCancelled, DeliveryCreated

from sagakit.service.manifest import Manifest

MANIFEST = Manifest(
    name="delivery_svc",
    description="schedules deliveries",
    grpc_port=50053,
    metrics_port=9103,
    rules="deliveries",
    reads=(CreateDeliveryCommand, CancelDeliveryCommand),
    writes=(DeliveryCreated, DeliveryCancelled),
)
