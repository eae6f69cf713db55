"""Orders by the client's helpers: placed once, watched to their end, whatever goes wrong on the way."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import grpc
import pytest
from grpc_status import rpc_status
from ordersaga.order.v1 import order_pb2 as pb
from ordersaga.order.v1 import order_pb2_grpc
from ordersaga.product.v1.product_pb2 import RestockProductRequest
from ordersaga_client import CHANNEL_OPTIONS, place, watch, with_request_id

from sagakit.errors import Exhausted, InvalidArgument, NotFound, Unavailable, Violation
from sagakit.rpc.statuses import status_of
from tests.support.rpc import code_of
from tests.support.served import served

OWN = (*CHANNEL_OPTIONS, ("grpc.use_local_subchannel_pool", 1))


class Orders(order_pb2_grpc.OrderServiceServicer):
    """Stores each request id once. Its first answers fail, or stay out, as the test says."""

    def __init__(self, *failures: Exception, silent_seconds: float = 0, silent: int = 0) -> None:
        self.failures = list(failures)
        self.placed: list[str] = []
        self.calls = 0
        self._silent, self._silent_seconds = silent, silent_seconds
        self._lock = threading.Lock()

    def CreateOrder(self, request: pb.CreateOrderRequest, context: grpc.ServicerContext) -> pb.CreateOrderResponse:  # noqa: N802 - its name
        with self._lock:
            self.calls += 1
            call = self.calls
            if request.request_id not in self.placed or not request.request_id:
                self.placed.append(request.request_id)
            failure = self.failures.pop(0) if self.failures else None
        if failure:
            abort(context, failure)
        if call <= self._silent:
            time.sleep(self._silent_seconds)
        return pb.CreateOrderResponse(order=pb.Order(order_id=len(self.placed)))

    def WatchOrder(  # noqa: N802 - its name
        self, request: pb.WatchOrderRequest, context: grpc.ServicerContext
    ) -> Iterator[pb.WatchOrderResponse]:
        self.calls += 1
        order = pb.Order(order_id=request.order_id, status=pb.ORDER_STATUS_PENDING)
        yield pb.WatchOrderResponse(order=order)
        if self.failures:
            abort(context, self.failures.pop(0))
        order.status = pb.ORDER_STATUS_COMPLETED
        yield pb.WatchOrderResponse(order=order)


def service(*failures: Exception, silent_seconds: float = 0, silent: int = 0) -> Orders:
    return Orders(*failures, silent_seconds=silent_seconds, silent=silent)  # type: ignore[abstract] # no other is called


def abort(context: grpc.ServicerContext, error: Exception) -> None:
    context.abort_with_status(rpc_status.to_status(status_of(error, "ordersaga")[1]))


def order() -> pb.CreateOrderRequest:
    return pb.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=500)


@pytest.mark.parametrize(
    "failures",
    [(), (Unavailable("away"),), (Exhausted("OUTBOX_FULL", "full"),), (Unavailable("away"), Unavailable("still"))],
    ids=["none", "unavailable", "exhausted", "twice"],
)
def test_an_order_is_placed_once_whatever_its_answer_met_with(failures: tuple[Exception, ...]) -> None:
    orders = service(*failures)
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        assert place(order_pb2_grpc.OrderServiceStub(channel), order(), timeout=60).order_id == 1
    assert len(orders.placed) == 1
    assert orders.placed[0], "it has a request id"


def test_a_client_with_deadlines_of_twenty_milliseconds_orders_once() -> None:
    orders = service(silent=10, silent_seconds=0.1)
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        place(order_pb2_grpc.OrderServiceStub(channel), order(), timeout=60, attempt_timeout=0.02)
    assert orders.calls > 1
    assert len(orders.placed) == 1


def test_the_same_request_may_be_placed_again_after_an_error_and_stands_for_one_order() -> None:
    orders, request = service(silent=8, silent_seconds=0.1), order()
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        stub = order_pb2_grpc.OrderServiceStub(channel)
        for _ in range(20):
            with suppress(grpc.RpcError):  # as its deadline has passed, most times
                place(stub, request, timeout=0.02)
        assert place(stub, request).order_id == 1
        assert place(stub, order()).order_id == 2, "another request is another order"


def test_what_is_refused_is_not_tried_again() -> None:
    orders = service(InvalidArgument(Violation("quantity", "must be greater")))
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            place(order_pb2_grpc.OrderServiceStub(channel), order())
        assert code_of(caught.value) is grpc.StatusCode.INVALID_ARGUMENT
    assert orders.calls == 1


def test_after_its_time_the_last_error_is_raised() -> None:
    with served(service(*[Unavailable("away")] * 9)) as address, grpc.insecure_channel(address, options=OWN) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            place(order_pb2_grpc.OrderServiceStub(channel), order(), timeout=0.5)
        assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE


def test_a_request_id_is_given_once_and_never_changed() -> None:
    request = with_request_id(order())
    given = request.request_id
    assert given
    assert with_request_id(request).request_id == given
    assert with_request_id(RestockProductRequest()).request_id not in ("", given)


def test_a_watch_goes_on_where_its_stream_ended_early_and_repeats_nothing() -> None:
    orders = service(Unavailable("going"), Unavailable("coming"))
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        seen = [one.status for one in watch(order_pb2_grpc.OrderServiceStub(channel), 7, timeout=60)]
    assert seen == [pb.ORDER_STATUS_PENDING, pb.ORDER_STATUS_COMPLETED]
    assert orders.calls == 3


def test_a_watch_of_what_does_not_exist_ends() -> None:
    orders = service(NotFound("ORDER_NOT_FOUND", "there is no order 7"))
    with served(orders) as address, grpc.insecure_channel(address, options=OWN) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            list(watch(order_pb2_grpc.OrderServiceStub(channel), 7))
        assert code_of(caught.value) is grpc.StatusCode.NOT_FOUND
