"""The stream of lists, against a real gRPC server that knows how each order will be answered."""

from collections.abc import Iterator

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from bench.bulk import stream
from bench.load import Caller

OK, UNAVAILABLE = 0, 14


class Till(order_pb2_grpc.OrderServiceServicer):
    """Takes every order but the first of each list."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def CreateOrders(  # noqa: N802 - the contract's name
        self, requests: Iterator[order_pb2.CreateOrdersRequest], _: grpc.ServicerContext
    ) -> Iterator[order_pb2.CreateOrdersResponse]:
        for request in requests:
            self.sizes.append(len(request.orders))
            response = order_pb2.CreateOrdersResponse()
            for place, _order in enumerate(request.orders):
                result = response.results.add()
                if place:
                    result.order.order_id = place
                else:
                    result.error.code = UNAVAILABLE
            yield response


@pytest.fixture
def till() -> Till:
    return Till()  # type: ignore[abstract] # nobody calls the other methods


def test_lists_follow_one_another_and_each_order_counts_by_its_own_answer(till: Till, address: str) -> None:
    caller = Caller([address], [7], 500)
    load = stream(caller, 0.3)
    assert len(load.creates) == len(till.sizes) > 3
    assert load.placed == sum(till.sizes)
    assert load.answers == {OK: load.placed - len(till.sizes), UNAVAILABLE: len(till.sizes)}
