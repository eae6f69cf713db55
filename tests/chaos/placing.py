"""Orders of every kind, placed by callers who do not give up: each asks again, with the same request id."""

import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import grpc
from ordersaga.order.v1 import order_pb2

from devstack.stack import Stack
from tests.support.rpc import code_of
from tests.support.shop import PRICE, Shop, new_user
from tests.support.sql import count
from tests.support.wait import eventually

PATIENCE_SECONDS = 40.0
STOCK = 100


class Placing:
    """Eight orders of one user, of which four are refused, two of them after the stock was taken."""

    outcomes = {"": 4, "UNDELIVERABLE_ADDRESS": 2, "PRICE_CHANGED": 1, "OUT_OF_STOCK": 1}  # noqa: RUF012 - a constant
    """How many end with which reason; "" is COMPLETED."""

    def __init__(self, stack: Stack, shop: Shop, pool: ThreadPoolExecutor) -> None:
        self._stack, self._shop, self._pool = stack, shop, pool
        self.user = new_user()
        self.plenty, self.none_left = shop.product(stock=STOCK), shop.product(stock=0)
        self._answers: list[Future[order_pb2.Order]] = []

    def _requests(self) -> Sequence[order_pb2.CreateOrderRequest]:
        def request(
            product_id: int, price: int = PRICE, address: str = "Main Street 1"
        ) -> order_pb2.CreateOrderRequest:
            return order_pb2.CreateOrderRequest(
                user_id=self.user,
                product_id=product_id,
                quantity=2,
                price=price,
                address=address,
                request_id=str(uuid.uuid4()),
            )

        good, box = request(self.plenty), request(self.plenty, address="PO Box 42")
        return [
            good,
            box,
            request(self.plenty),
            request(self.plenty, price=PRICE + 1),
            request(self.none_left),
            request(self.plenty, address="PO Box 43"),
            request(self.plenty),
            request(self.plenty),
        ]

    def begin(self) -> None:
        """Let all of them be placed at once."""
        self._answers = [self._pool.submit(self._place, request) for request in self._requests()]

    def _place(self, request: order_pb2.CreateOrderRequest) -> order_pb2.Order:
        def ask() -> order_pb2.Order:
            try:
                return self._shop.orders.CreateOrder(request, timeout=10).order
            except grpc.RpcError as error:
                assert code_of(error) is not grpc.StatusCode.UNAVAILABLE, "the order service stays away"
                raise

        return eventually(ask, PATIENCE_SECONDS)

    def placed(self) -> list[order_pb2.Order]:
        """Return the orders once each was answered, and see that no caller got two of them."""
        orders = [answer.result() for answer in self._answers]
        stored = count(
            self._stack.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE user_id = %s", self.user
        )
        assert stored == len({order.order_id for order in orders}) == len(self._answers)
        return orders
