"""A load that runs inside the cluster: callers who do not give up, then a look at how each order ended.

It is run as ``python -c``, with what the services' image holds: ORDERS orders over SECONDS seconds, every fifth to a
post-office box, which is undone. It prints "begun", and in the end one JSON object with the counts.
"""

import json
import os
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
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


AUTHORITY = Path("/tls/ca.crt")


class Way:
    """How the services are called: by TLS, or in the clear, as those of a release from before."""

    def __init__(self, *, secured: bool) -> None:
        authority = AUTHORITY.read_bytes() if secured else None
        to_orders, to_products = (
            channel(os.environ[f"{name}_SVC_ADDRESS"], authority) for name in ("ORDER", "PRODUCT")
        )
        self.orders = order_pb2_grpc.OrderServiceStub(to_orders)
        self.products = product_pb2_grpc.ProductServiceStub(to_products)


def channel(address: str, authority: bytes | None) -> grpc.Channel:
    """Open a channel, by TLS where there is an authority to believe."""
    if authority is None:
        return grpc.insecure_channel(address, options=_OPTIONS)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options=_OPTIONS)


class Ways:
    """Both ways, of which a caller takes the other one when it has failed with one."""

    def __init__(self) -> None:
        self._clear = Way(secured=False)
        self._secured: Way | None = None
        self._own = threading.local()

    @property
    def present(self) -> Way:
        """The way that the calling thread takes now."""
        if self._secured is None and AUTHORITY.exists():
            self._secured = Way(secured=True)
        secured = getattr(self._own, "secured", True)
        return self._secured if secured and self._secured is not None else self._clear

    def take_the_other(self) -> None:
        """Let the calling thread take the other way from now on."""
        self._own.secured = not getattr(self._own, "secured", True)


class Load:
    """One product, its customers, and what they saw."""

    def __init__(self) -> None:
        self.count, self.seconds = int(os.environ["ORDERS"]), float(os.environ["SECONDS"])
        self.ways = Ways()
        self.repeated = 0
        new = product_pb2.CreateProductRequest(name="for a load", price=1200, stock=self.count)
        self.product_id = self.insist(lambda way: way.products.CreateProduct(new, timeout=5)).product.product_id

    def insist(self, call: Callable[[Way], T]) -> T:
        """Call until it is answered."""
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        while True:
            try:
                return call(self.ways.present)
            except grpc.RpcError as error:
                if error.code() not in PASSING or time.monotonic() > give_up:
                    raise
            self.ways.take_the_other()
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
        return int(self.insist(lambda way: way.orders.CreateOrder(order, timeout=5)).order.order_id)

    def final(self, order_id: int) -> str:
        """Return how an order ended, or fail where it takes too long."""
        asked = order_pb2.GetOrderRequest(order_id=order_id)
        give_up = time.monotonic() + LONGEST_WAIT_SECONDS
        while time.monotonic() < give_up:
            order = self.insist(lambda way: way.orders.GetOrder(asked, timeout=5)).order
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
            "stock": self.insist(lambda way: way.products.GetProduct(asked, timeout=5)).product.stock,
            "repeated": self.repeated,
            "last_final_after_seconds": round(time.monotonic() - placed, 1),
        }


if __name__ == "__main__":
    print(json.dumps(Load().run()), flush=True)
