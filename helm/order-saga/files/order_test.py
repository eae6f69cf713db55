"""What `helm test` runs: it orders a product made for that, and sees how the order ends. An argument names the case."""

import os
import sys
from pathlib import Path

import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc

STOCK = 10
CASES = {
    "completes": ("1 Main Street", order_pb2.ORDER_STATUS_COMPLETED, "", STOCK - 1),
    "is-undone": ("PO Box 42", order_pb2.ORDER_STATUS_CANCELLED, "UNDELIVERABLE_ADDRESS", STOCK),
}
"""By case: the address, and the status, the reason and the stock in the end."""
SECONDS = 120


def channel(address: str) -> grpc.Channel:
    """Open a channel, by TLS and with a certificate of its own where these are given."""
    files = [os.environ.get(f"GRPC_TLS_{part}") for part in ("CA", "KEY", "CERTIFICATE")]
    if not all(files):
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*(Path(str(file)).read_bytes() for file in files)))


def run(case: str) -> str:
    """Run one case; return how it ended, for people.

    Raises:
        SystemExit: it ended otherwise than it should.
    """
    address, *wanted = CASES[case]
    with (
        channel(os.environ["ORDER_SVC_ADDRESS"]) as to_orders,
        channel(os.environ["PRODUCT_SVC_ADDRESS"]) as to_products,
    ):
        orders, products = order_pb2_grpc.OrderServiceStub(to_orders), product_pb2_grpc.ProductServiceStub(to_products)
        new = product_pb2.CreateProductRequest(name="for helm test", price=1200, stock=STOCK)
        product_id = products.CreateProduct(new, timeout=SECONDS, wait_for_ready=True).product.product_id
        order = order_pb2.CreateOrderRequest(user_id=1, product_id=product_id, quantity=1, price=1200, address=address)
        order_id = orders.CreateOrder(order, timeout=SECONDS, wait_for_ready=True).order.order_id
        last = [
            one.order for one in orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=order_id), timeout=SECONDS)
        ][-1]
        stock = products.GetProduct(product_pb2.GetProductRequest(product_id=product_id), timeout=SECONDS).product.stock
    status = order_pb2.OrderStatus.Name(last.status)
    answer = f"order {order_id} is {status} {last.cancel_reason}, {stock} of {STOCK} pieces left"
    if [last.status, last.cancel_reason, stock] != wanted:
        sys.exit(f"not as it should be: {answer}")
    return answer


if __name__ == "__main__":
    print(run(sys.argv[1]))
