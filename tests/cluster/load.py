"""A load that runs inside the cluster: callers who do not give up, then a look at how each order ended.

It is run as ``python -c``, with what the services' image holds: ORDERS orders over SECONDS seconds, every fifth to a
post-office box, which is undone. It prints "begun", and in the end one JSON object with the counts.
"""

import json
import os
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc

T = TypeVar("T")
CALLERS = 8
LONGEST_WAIT_SECONDS = 300.0
PASSING = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,  # what a server that stops says to a call it has not begun
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
PENDING = order_pb2.ORDER_STATUS_PENDING
_OPTIONS = [("grpc.max_reconnect_backoff_ms", 1000)]


class Load:
    """One product, its customers, and what they saw."""

    def __init__(self) -> None:
        self.count, self.seconds = int(os.environ["ORDERS"]), float(os.environ["SECONDS"])
        to_orders = grpc.insecure_channel(os.environ["ORDER_SVC_ADDRESS"], options=_OPTIONS)
        to_products = grpc.insecure_channel(os.environ["PRODUCT_SVC_ADDRESS"], options=_OPTIONS)
        self.orders, self.products = (
            order_pb2_grpc.OrderServiceStub(to_orders),
            product_pb2_grpc.ProductServiceStub(to_products),
        )
        self.repeated = 0
        new = product_pb2.CreateProductRequest(name="for a load", price=1200, stock=self.count)
        self.product_id = self.insist(lambda: self.products.CreateProduct(new, timeout=5)).product.product_id

    def insist(self, call: Callable[[], T]) -> T:
        """Call until it is answered."""
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            try:
                return call()
            except grpc.RpcError as error:
                if error.code() not in PASSING or time.monotonic() > give_up:
                    raise
            self.repeated += 1
            time.sleep(0.5)

    def place(self, number: int) -> int:
        """Place order ``number`` when its time has come; return its id."""
        time.sleep(max(0.0, self.began + number * self.seconds / self.count - time.monotonic()))
        order = order_pb2.CreateOrderRequest(
            user_id=number + 1,
            product_id=self.product_id,
            quantity=1,
            price=1200,
            address="1 Main Street" if number % 5 else "PO Box 42",
            request_id=str(uuid.uuid4()),
        )
        return int(self.insist(lambda: self.orders.CreateOrder(order, timeout=5)).order.order_id)

    def final(self, order_id: int) -> str:
        """Return how an order ended, or fail where it takes too long."""
        asked = order_pb2.GetOrderRequest(order_id=order_id)
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < give_up:
            order = self.insist(lambda: self.orders.GetOrder(asked, timeout=5)).order
            if order.status != PENDING:
                status = order_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_")
                return f"{status} {order.cancel_reason}".strip()
            time.sleep(0.5)
        return "PENDING"

    def run(self) -> dict[str, object]:
        """Place all, wait for all, count."""
        self.began = time.monotonic()
        print("begun", flush=True)
        with ThreadPoolExecutor(CALLERS) as pool:
            ids = list(pool.map(self.place, range(self.count)))
            placed = time.monotonic()
            ended = Counter(pool.map(self.final, ids))
        asked = product_pb2.GetProductRequest(product_id=self.product_id)
        return {
            "acknowledged": len(set(ids)),
            "ended": dict(ended),
            "stock": self.insist(lambda: self.products.GetProduct(asked, timeout=5)).product.stock,
            "repeated": self.repeated,
            "last_final_after_seconds": round(time.monotonic() - placed, 1),
        }


if __name__ == "__main__":
    print(json.dumps(Load().run()), flush=True)
