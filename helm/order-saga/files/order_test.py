"""What `helm test` runs: it orders a product made for that, and sees how the order ends. An argument names the case.

Where callers need a token it first sees that they are refused without one. It orders with the token that it is given;
where it is given none, that is all that it sees.
"""

import os
import sys
from pathlib import Path

import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc
from ordersaga_client import with_token

STOCK = 10
CASES = {
    "completes": ("1 Main Street", order_pb2.ORDER_STATUS_COMPLETED, "", STOCK - 1),
    "is-undone": ("PO Box 42", order_pb2.ORDER_STATUS_CANCELLED, "UNDELIVERABLE_ADDRESS", STOCK),
}
"""By case: the address, and the status, the reason and the stock in the end."""
SECONDS = 120
TOKEN = os.environ.get("ORDERSAGA_TOKEN", "").strip()


def channel(service: str, token: str) -> grpc.Channel:
    """Open a channel to a service by TLS, with a certificate to show where one is wanted, and a token where given."""
    files = [Path(os.environ[f"GRPC_TLS_{part}"]).read_bytes() for part in ("CA", "KEY", "CERTIFICATE")]
    secured = grpc.secure_channel(os.environ[f"{service}_SVC_ADDRESS"], grpc.ssl_channel_credentials(*files))
    return with_token(secured, (lambda: token) if token else None)


def must_refuse_strangers() -> None:
    """Call without a token.

    Raises:
        SystemExit: a service answers.
    """
    with channel("ORDER", "") as to_orders, channel("PRODUCT", "") as to_products:
        orders, products = order_pb2_grpc.OrderServiceStub(to_orders), product_pb2_grpc.ProductServiceStub(to_products)
        for call, request in (
            (orders.ListOrders, order_pb2.ListOrdersRequest()),
            (products.ListProducts, product_pb2.ListProductsRequest()),
        ):
            try:
                call(request, timeout=SECONDS, wait_for_ready=True)
            except grpc.RpcError as error:
                if error.code() != grpc.StatusCode.UNAUTHENTICATED:
                    raise
            else:
                sys.exit("not as it should be: a caller without a token is answered")
    print("who has no token is refused")


def run(case: str) -> str:
    """Run one case; return how it ended, for people.

    Raises:
        SystemExit: it ended otherwise than it should.
    """
    address, *wanted = CASES[case]
    with channel("ORDER", TOKEN) as to_orders, channel("PRODUCT", TOKEN) as to_products:
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
    if os.environ["AUTH_MODE"] == "jwt":
        must_refuse_strangers()
    if os.environ["AUTH_MODE"] == "none" or TOKEN:
        print(run(sys.argv[1]))
