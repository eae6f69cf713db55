"""Services in this process that answer real gRPC calls as a test says, for tests of the command line."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
from google.protobuf.message import Message
from grpc_status import rpc_status
from ordersaga.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2, orchestrator_pb2_grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga.product.v1 import product_pb2, product_pb2_grpc

from sagakit.rpc.statuses import status_of

_METHODS = [
    method.name
    for file in (orchestrator_pb2, order_pb2, product_pb2, delivery_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


class Services:
    """Answers each call by what ``answers`` has for its method: a message, a list of them, an error, or a function.

    A list of lists has one for each stream that is begun; a stream may end by an error.
    """

    def __init__(self, **answers: object) -> None:
        self.requests: list[Any] = []
        self.tokens: list[object] = []
        for method in _METHODS:
            setattr(self, method, self._unary(answers.get(method)))
        for method in ("WatchSagas", "WatchOrder"):
            setattr(self, method, self._stream(answers.get(method, [])))

    @property
    def request(self) -> Any:
        """The one request that came."""
        (request,) = self.requests
        return request

    def _note(self, request: Message, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.tokens.append(dict(context.invocation_metadata()).get("authorization"))

    def _unary(self, answer: object) -> Callable[[Message, grpc.ServicerContext], Message]:
        def method(request: Message, context: grpc.ServicerContext) -> Message:
            self._note(request, context)
            given = answer(request) if callable(answer) else answer
            if isinstance(given, Exception):
                context.abort_with_status(rpc_status.to_status(status_of(given, "ordersaga")[1]))
            if given is None:
                context.abort(grpc.StatusCode.UNIMPLEMENTED, "not implemented")
            assert isinstance(given, Message)
            return given

        return method

    def _stream(self, answers: object) -> Callable[[Message, grpc.ServicerContext], Iterator[Message]]:
        def method(request: Message, context: grpc.ServicerContext) -> Iterator[Message]:
            self._note(request, context)
            assert isinstance(answers, list)
            streams = answers if answers and isinstance(answers[0], list) else [answers]
            for answer in streams[min(len(self.requests), len(streams)) - 1]:
                if isinstance(answer, Exception):
                    context.abort_with_status(rpc_status.to_status(status_of(answer, "ordersaga")[1]))
                yield answer

        return method


@contextmanager
def serving(services: Services, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve all APIs by ``services`` on a free port of ``host``; yield the address."""
    server = grpc.server(ThreadPoolExecutor(4))
    orchestrator_pb2_grpc.add_OrchestratorServiceServicer_to_server(services, server)  # type: ignore[arg-type] # it has the methods
    order_pb2_grpc.add_OrderServiceServicer_to_server(services, server)  # type: ignore[arg-type] # it has the methods
    product_pb2_grpc.add_ProductServiceServicer_to_server(services, server)  # type: ignore[arg-type] # it has the methods
    delivery_pb2_grpc.add_DeliveryServiceServicer_to_server(services, server)  # type: ignore[arg-type] # it has the methods
    port = server.add_insecure_port(f"{host}:0")
    server.start()
    try:
        yield f"{host}:{port}"
    finally:
        server.stop(None).wait()
