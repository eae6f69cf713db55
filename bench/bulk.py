"""Orders in bulk: one stream of lists, each sent once the last is answered."""

import time

from ordersaga.order.v1 import order_pb2

from bench.http2 import Connection, Method
from bench.load import Caller, Load
from bench.plan import Plan
from bench.rig import Rig

_CREATE = Method("/ordersaga.order.v1.OrderService/CreateOrders")
_LIST = 100
_OK = 0


def measure(rig: Rig, plan: Plan) -> None:
    """Measure throughput and costs of orders that come by the hundred; they come faster than they are completed."""
    for _ in range(plan.rounds):
        plan.keep("one stream of CreateOrders", rig.costed(lambda: stream(rig.caller, plan.seconds)))


def stream(caller: Caller, seconds: float) -> Load:
    """Order for ``seconds`` by lists of what ``caller`` orders.

    A latency is from a list to its answer. Orders are counted by the status code of their result.
    """
    bodies = [
        order_pb2.CreateOrdersRequest(orders=caller.requests[at : at + _LIST]).SerializeToString()
        for at in range(0, len(caller.requests), _LIST)
    ]
    host, _, port = caller.address.rpartition(":")
    connection = Connection(host, int(port))
    call = connection.open(_CREATE)
    load = Load(began=time.perf_counter())
    turn, sent, ended = 0, 0.0, False
    while not ended:
        now = time.perf_counter()
        if sent == 0.0:
            sent, turn = now, turn + 1
            connection.send(call, bodies[turn % len(bodies)], end=now - load.began > seconds)
        for answer in connection.answers():
            if answer.status is not None:
                ended = True
                if answer.status != _OK:
                    load.answers[answer.status] += 1
            if answer.message is not None:
                results = order_pb2.CreateOrdersResponse.FromString(answer.message).results
                load.placed += len(results)
                load.answers.update(result.error.code for result in results)
                load.creates.append(time.perf_counter() - sent)
                sent = 0.0
    connection.close()
    return load
