"""What the product service is."""

from ordersaga.messages import DecreaseProductCommand, IncreaseProductCommand, ProductDecreased, ProductIncreased

from sagakit.service.manifest import Manifest

MANIFEST = Manifest(
    name="product_svc",
    description="keeps the products and their stock",
    grpc_port=50052,
    metrics_port=9102,
    rules="stock",
    reads=(DecreaseProductCommand, IncreaseProductCommand),
    writes=(ProductDecreased, ProductIncreased),
)
