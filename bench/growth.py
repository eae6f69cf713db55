"""Growth: whether more orders in the tables make anything slower.

Every other round goes from the largest size to the smallest, so that a machine that changes meanwhile favours none.
"""

import random
from collections.abc import Sequence

from google.protobuf.message import Message
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2

from bench import stocked
from bench.figures import Figures, ratios, times
from bench.plan import Plan
from bench.reads import Reader
from bench.rig import Rig
from bench.steady import CALLERS
from bench.stocked import Chunk

_ORDERS = "/ordersaga.order.v1.OrderService/"
_SAGAS = "/ordersaga.orchestrator.v1.OrchestratorService/"
_SETTLE_SECONDS = 3.0
"""Of load, after the tables have been filled."""
_READS_A_SECOND = 50
"""How many calls of each kind for each second of a round."""
_Requests = dict[str, Sequence[Message]]
"""By name, which begins with the method's."""
_KEPT = ("completed orders/s", "create p50 ms", "CPU-s/1,000 postgres", "CPU-s/1,000 services, Kafka, PostgreSQL")


def measure(rig: Rig, plan: Plan) -> None:
    """Measure everything at each size of the tables, and how it compares with the smallest of the same round."""
    rig.drain()
    smallest, *larger = plan.sizes
    for number in range(plan.rounds):
        found: dict[int, Figures] = {}
        for size in plan.sizes if number % 2 == 0 else reversed(plan.sizes):
            stocked.empty(rig.stack)
            found[size] = _filled(rig, stocked.fill(rig.stack, size, rig.products), plan.seconds)
            plan.keep(f"{size:,} orders in the tables", found[size])
        for size in larger:
            plan.keep(f"{size:,} orders, ratio to {smallest:,}", ratios(found[size], found[smallest]))


def _filled(rig: Rig, chunk: Chunk, seconds: float) -> Figures:
    rig.warm_up(_SETTLE_SECONDS)
    loaded = rig.throughput(CALLERS, seconds)
    idle = rig.idle(seconds)
    figures = {name: loaded[name] for name in _KEPT}
    figures["idle, call to COMPLETED p50 ms"] = idle["call to COMPLETED p50 ms"]
    return figures | _reads(rig, chunk, max(1, int(seconds * _READS_A_SECOND)))


def _reads(rig: Rig, chunk: Chunk, count: int) -> Figures:
    """Measure reads, ``count`` of each kind, of orders and users at random."""
    chance = random.Random(count)  # noqa: S311 - no secret
    orders, sagas = _requests(chance.choices(chunk.orders, k=count), chance.choices(chunk.users, k=count))
    figures: Figures = {}
    for service, prefix, kinds in (("order_svc", _ORDERS, orders), ("orchestrator_svc", _SAGAS, sagas)):
        reader = Reader(rig.stack.service(service).grpc)
        for name, requests in kinds.items():
            method = prefix + name.split(maxsplit=1)[0]
            taken = reader.times(method, [request.SerializeToString() for request in requests])
            figures |= times(name, taken, 50, 99)
        reader.close()
    return figures


def _requests(ids: Sequence[int], users: Sequence[int]) -> tuple[_Requests, _Requests]:
    """Return what is asked of order_svc and of the orchestrator."""
    completed = order_pb2.ListOrdersRequest(status=order_pb2.ORDER_STATUS_COMPLETED)
    pending = order_pb2.ListOrdersRequest(status=order_pb2.ORDER_STATUS_PENDING)
    cancelled = order_pb2.ListOrdersRequest(status=order_pb2.ORDER_STATUS_CANCELLED)
    compensated = orchestrator_pb2.ListSagasRequest(status=orchestrator_pb2.SAGA_STATUS_COMPENSATED)
    stuck = orchestrator_pb2.ListSagasRequest(stuck=True)
    orders: _Requests = {
        "GetOrder": [order_pb2.GetOrderRequest(order_id=one) for one in ids],
        "ListOrders": [order_pb2.ListOrdersRequest()] * len(ids),
        "ListOrders of a user": [order_pb2.ListOrdersRequest(user_id=user) for user in users],
        "ListOrders COMPLETED": [completed] * len(ids),
        "ListOrders PENDING (none)": [pending] * len(ids),
        "ListOrders CANCELLED (none)": [cancelled] * len(ids),
    }
    sagas: _Requests = {
        "GetSaga": [orchestrator_pb2.GetSagaRequest(order_id=one) for one in ids],
        "ListSagas": [orchestrator_pb2.ListSagasRequest()] * len(ids),
        "ListSagas stuck (none)": [stuck] * len(ids),
        "ListSagas COMPENSATED (none)": [compensated] * len(ids),
    }
    return orders, sagas
