"""The lines to the services: every replica is called in turn, and each answer is noted."""

import threading
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, cast

import grpc
from ordersaga.orchestrator.v1 import orchestrator_pb2_grpc
from ordersaga.order.v1 import order_pb2_grpc
from ordersaga.product.v1 import product_pb2_grpc
from ordersaga_client import with_token

from tests.chaos.evidence import Outcome
from tests.chaos.recorder import Recorder
from tests.support import trust

CALL_SECONDS = 5.0
_INDETERMINATE = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "UNKNOWN", "INTERNAL", "CANCELLED", "ABORTED"}
_RECENT = 100
_OPTIONS: list[tuple[str, object]] = [
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
]
Stub = TypeVar("Stub")


class Lines:
    """Clients of the services, for any thread, and what is known to all who call them."""

    def __init__(self, recorder: Recorder, addresses: Mapping[str, Sequence[str]]) -> None:
        """Call the replicas of each service at ``addresses``."""
        self.recorder = recorder
        channels = {
            service: [with_token(trust.channel(address, _OPTIONS), trust.token(address)) for address in found]
            for service, found in addresses.items()
        }
        self._channels = [channel for found in channels.values() for channel in found]
        self._orders = [order_pb2_grpc.OrderServiceStub(channel) for channel in channels["order_svc"]]
        self._products = [product_pb2_grpc.ProductServiceStub(channel) for channel in channels["product_svc"]]
        sagas = channels["orchestrator_svc"]
        self._sagas = [orchestrator_pb2_grpc.OrchestratorServiceStub(channel) for channel in sagas]
        self._lock = threading.Lock()
        self._turns = Counter[str]()
        self.codes: Counter[str] = Counter()
        """Answers by call and status."""
        self.recent: deque[tuple[int, int]] = deque(maxlen=_RECENT)
        """The newest orders, each with its user."""

    @property
    def orders(self) -> order_pb2_grpc.OrderServiceStub:
        """The replica of order_svc whose turn it is."""
        return self._next("orders", self._orders)

    @property
    def products(self) -> product_pb2_grpc.ProductServiceStub:
        """The replica of product_svc whose turn it is."""
        return self._next("products", self._products)

    @property
    def sagas(self) -> orchestrator_pb2_grpc.OrchestratorServiceStub:
        """The replica of orchestrator_svc whose turn it is."""
        return self._next("sagas", self._sagas)

    def _next(self, name: str, stubs: Sequence[Stub]) -> Stub:
        with self._lock:
            self._turns[name] += 1
            return stubs[self._turns[name] % len(stubs)]

    def call(self, name: str, method: Any, request: object) -> tuple[str, Any]:
        """Make a call; return the status's name, and the answer where there is one."""
        try:
            answer, code = method(request, timeout=CALL_SECONDS), "OK"
        except grpc.RpcError as error:
            answer, code = None, code_of(error)
        self.count(name, code)
        return code, answer

    def count(self, name: str, code: str) -> None:
        """Count an answer."""
        with self._lock:
            self.codes[f"{name} {code}"] += 1

    def known(self) -> list[tuple[int, int]]:
        """Return the newest orders whose ids were given once, each with its user."""
        removed = self.recorder.evidence.removed()
        return [one for one in list(self.recent) if one[0] not in removed]

    def close(self) -> None:
        """Close the channels, and with them every stream."""
        for channel in self._channels:
            channel.close()


def code_of(error: grpc.RpcError) -> str:
    """Return the name of a failed call's status."""
    return cast("grpc.Call", error).code().name


def outcome(code: str) -> Outcome:
    """Return what a caller knows who was answered with ``code``."""
    if code == "OK":
        return Outcome.ACKNOWLEDGED
    return Outcome.UNANSWERED if code in _INDETERMINATE else Outcome.REFUSED
