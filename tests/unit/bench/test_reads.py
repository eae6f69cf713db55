"""The reader, against a real gRPC server."""

from collections.abc import Iterator

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from bench.reads import Reader
from tests.support.served import served

GET = "/ordersaga.order.v1.OrderService/GetOrder"
MISSING = 404


class Shelf(order_pb2_grpc.OrderServiceServicer):
    """Has every order but one."""

    def GetOrder(  # noqa: N802 - the contract's name
        self, request: order_pb2.GetOrderRequest, context: grpc.ServicerContext
    ) -> order_pb2.GetOrderResponse:
        if request.order_id == MISSING:
            context.abort(grpc.StatusCode.NOT_FOUND, "no such order")
        return order_pb2.GetOrderResponse(order=order_pb2.Order(order_id=request.order_id))


@pytest.fixture
def reader() -> Iterator[Reader]:
    with served(Shelf()) as address:  # type: ignore[abstract] # nobody calls the other methods
        reader = Reader(address)
        yield reader
        reader.close()


def test_each_call_is_timed(reader: Reader) -> None:
    taken = reader.times(GET, [order_pb2.GetOrderRequest(order_id=one).SerializeToString() for one in range(1, 31)])
    assert len(taken) == 30
    assert all(0 < seconds < 5 for seconds in taken)


def test_an_error_is_no_time(reader: Reader) -> None:
    with pytest.raises(RuntimeError, match="status code 5"):
        reader.times(GET, [order_pb2.GetOrderRequest(order_id=MISSING).SerializeToString()])
