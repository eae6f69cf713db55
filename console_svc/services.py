"""The services: one channel to each, and calls with a deadline whose failures are sentences."""

from typing import TYPE_CHECKING, Any, Generic, TypeVar

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from ordersaga.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceStub
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub
from ordersaga.product.v1.product_pb2_grpc import ProductServiceStub
from ordersaga_client import CHANNEL_OPTIONS, metadata_of

from console_svc.failures import CALL_SECONDS, failure
from console_svc.settings import ConsoleSettings
from sagakit.trace_context import TRACEPARENT, new_trace

if TYPE_CHECKING:  # these are types alone: the package has no such classes at run time
    from ordersaga.delivery.v1.delivery_pb2_grpc import DeliveryServiceAsyncStub
    from ordersaga.orchestrator.v1.orchestrator_pb2_grpc import OrchestratorServiceAsyncStub
    from ordersaga.order.v1.order_pb2_grpc import OrderServiceAsyncStub
    from ordersaga.product.v1.product_pb2_grpc import ProductServiceAsyncStub

StubT = TypeVar("StubT")
RequestT = TypeVar("RequestT")
AnswerT = TypeVar("AnswerT")
_HEALTH_SECONDS = 1.0
_OPTIONS: tuple[tuple[str, str | int], ...] = (
    # A page that says what is down is better than one that waits; it asks again by itself a second later.
    *((name, value) for name, value in CHANNEL_OPTIONS if name != "grpc.service_config"),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
)


class Service(Generic[StubT]):
    """One service: its name, where it is, and its calls."""

    def __init__(self, name: str, address: str, channel: grpc.aio.Channel, stub: StubT) -> None:
        """Call the service by ``stub`` over ``channel``."""
        self.name, self.address, self.stub, self._channel = name, address, stub, channel

    async def ask(
        self,
        method: "grpc.aio.UnaryUnaryMultiCallable[RequestT, AnswerT]",
        request: RequestT,
        token: str,
        *,
        acts: bool = False,
    ) -> AnswerT:
        """Return the answer to one call, made with ``token`` where that is not empty.

        Unless a person ``acts`` by it, it asks not to be recorded: looking every second would bury the orders' traces.

        Raises:
            CallFailed: the service does not answer, or refuses.
        """
        try:
            return await method(request, timeout=CALL_SECONDS, metadata=_metadata(token, acts=acts))
        except grpc.aio.AioRpcError as error:
            raise failure(error, self.name, self.address) from error

    async def health(self) -> str:
        """Return ``ready``, ``not ready`` or ``away``: what its own health says, which needs no token."""
        stub: Any = health_pb2_grpc.HealthStub(self._channel)  # its methods are unknown to the package's types
        try:
            answer = await stub.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
        except grpc.aio.AioRpcError:
            return "away"
        return "ready" if answer.status == health_pb2.HealthCheckResponse.SERVING else "not ready"


class Services:
    """The four services, for all who look."""

    def __init__(self, settings: ConsoleSettings) -> None:
        """Know the services where ``settings`` say that they are; connections are made by the first call."""
        credentials = settings.credentials()
        channels = {
            address: grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
            if credentials
            else grpc.aio.insecure_channel(address, options=_OPTIONS)
            for _, address in settings.services
        }
        self._channels = channels.values()
        where = dict(settings.services)

        def channel(name: str) -> grpc.aio.Channel:
            return channels[where[name]]

        def service(name: str, stub: StubT) -> Service[StubT]:
            return Service(name, where[name], channel(name), stub)

        self.orders: Service[OrderServiceAsyncStub] = service("order_svc", OrderServiceStub(channel("order_svc")))
        self.sagas: Service[OrchestratorServiceAsyncStub] = service(
            "orchestrator_svc", OrchestratorServiceStub(channel("orchestrator_svc"))
        )
        self.products: Service[ProductServiceAsyncStub] = service(
            "product_svc", ProductServiceStub(channel("product_svc"))
        )
        self.deliveries: Service[DeliveryServiceAsyncStub] = service(
            "delivery_svc", DeliveryServiceStub(channel("delivery_svc"))
        )
        self.all: tuple[Service[Any], ...] = (self.orders, self.sagas, self.products, self.deliveries)
        """Each, in the order in which they are shown."""

    async def close(self) -> None:
        """End every connection."""
        for channel in self._channels:
            await channel.close()


def _metadata(token: str, *, acts: bool) -> tuple[tuple[str, str], ...]:
    trace = () if acts else ((TRACEPARENT, new_trace().traceparent),)
    return (*(metadata_of(token) if token else ()), *trace)
