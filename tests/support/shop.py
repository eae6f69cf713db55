"""The shop as its customers and its operators see it, through the gRPC services."""

import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, Self

import grpc
from ordersaga.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2, orchestrator_pb2_grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc
from ordersaga_client import Token, with_token

from devstack.services import NAMES, Service
from tests.support import trust
from tests.support.rpc import code_of, connect
from tests.support.wait import eventually

PENDING = order_pb2.ORDER_STATUS_PENDING
COMPLETED = order_pb2.ORDER_STATUS_COMPLETED
CANCELLED = order_pb2.ORDER_STATUS_CANCELLED
PRICE = 500
_CALL_SECONDS = 10.0


class Running(Protocol):
    """What runs the services."""

    def service(self, name: str) -> Service:
        """Return one by its name."""


class Shop:
    """A client of all services. Each test makes products of its own, and so sees nobody else's stock."""

    def __init__(self, services: Running, token: Token | None = None) -> None:
        addresses = {name: services.service(name).grpc for name in NAMES}
        self._channels = {
            name: with_token(connect(address), token or trust.token(address)) for name, address in addresses.items()
        }
        self.orders = order_pb2_grpc.OrderServiceStub(self._channels["order_svc"])
        self.products = product_pb2_grpc.ProductServiceStub(self._channels["product_svc"])
        self.deliveries = delivery_pb2_grpc.DeliveryServiceStub(self._channels["delivery_svc"])
        self.sagas = orchestrator_pb2_grpc.OrchestratorServiceStub(self._channels["orchestrator_svc"])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def channel(self, service: str) -> grpc.Channel:
        return self._channels[service]

    def close(self) -> None:
        for channel in self._channels.values():
            channel.close()

    def product(self, *, stock: int = 100, price: int = PRICE) -> int:
        """Add a product and return its id."""
        request = product_pb2.CreateProductRequest(name="A thing to test with", price=price, stock=stock)
        return self.products.CreateProduct(request, timeout=_CALL_SECONDS).product.product_id

    def stock(self, product_id: int) -> int:
        request = product_pb2.GetProductRequest(product_id=product_id)
        return self.products.GetProduct(request, timeout=_CALL_SECONDS).product.stock

    def place(  # noqa: PLR0913 - one argument for each field, and whether to wait
        self,
        product_id: int,
        *,
        quantity: int = 1,
        price: int = PRICE,
        user_id: int = 1,
        address: str = "Main Street 1",
        request_id: str = "",
        wait_for_ready: bool = False,
    ) -> order_pb2.Order:
        """Place an order, if need be once the service is back, and return it as it was answered."""
        request = order_pb2.CreateOrderRequest(
            user_id=user_id,
            product_id=product_id,
            quantity=quantity,
            price=price,
            address=address,
            request_id=request_id,
        )
        return self.orders.CreateOrder(request, timeout=_CALL_SECONDS, wait_for_ready=wait_for_ready).order

    def cancel(self, order: order_pb2.Order, *, actor: str = "", reason: str = "") -> order_pb2.Order:
        """Ask for an order's cancel and return it as it was answered."""
        request = order_pb2.CancelOrderRequest(order_id=order.order_id, actor=actor, reason=reason)
        return self.orders.CancelOrder(request, timeout=_CALL_SECONDS).order

    def order(self, order_id: int) -> order_pb2.Order:
        return self.orders.GetOrder(order_pb2.GetOrderRequest(order_id=order_id), timeout=_CALL_SECONDS).order

    def final(self, order: order_pb2.Order, timeout: float = 20.0) -> order_pb2.Order:
        """Return the order once it is final."""

        def ask() -> order_pb2.Order:
            try:
                now = self.order(order.order_id)
            except grpc.RpcError as error:
                if code_of(error) is not grpc.StatusCode.UNAVAILABLE:
                    raise
                raise AssertionError(str(error)) from error
            assert now.status != PENDING, f"order {order.order_id} is still pending after {timeout} s"
            return now

        return eventually(ask, timeout, every=0.02)

    def finals(self, orders: Iterable[order_pb2.Order], timeout: float) -> list[order_pb2.Order]:
        """Return all of ``orders`` once each is final."""
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda order: self.final(order, timeout), orders))

    def delivery(self, order: order_pb2.Order) -> delivery_pb2.Delivery | None:
        """Return the order's delivery, if it has one."""
        request = delivery_pb2.GetDeliveryRequest(order_id=order.order_id)
        try:
            return self.deliveries.GetDelivery(request, timeout=_CALL_SECONDS).delivery
        except grpc.RpcError as error:
            if code_of(error) is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    def saga(self, order: order_pb2.Order) -> orchestrator_pb2.GetSagaResponse:
        """Return the order's saga; the orchestrator may not have heard of it yet (AssertionError)."""
        request = orchestrator_pb2.GetSagaRequest(order_id=order.order_id)
        try:
            return self.sagas.GetSaga(request, timeout=_CALL_SECONDS)
        except grpc.RpcError as error:
            if code_of(error) is grpc.StatusCode.NOT_FOUND:
                raise AssertionError(str(error)) from error
            raise


def new_user() -> int:
    """Return a user id that nobody else uses."""
    return uuid.uuid4().int % 2**62 + 1
