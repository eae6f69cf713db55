"""Orders that are placed once however often it takes to hear so, and watched to their end whatever ends a stream."""

import random
import time
import uuid
from collections.abc import Iterator
from typing import Final, TypeVar, cast

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from ordersaga.order.v1.order_pb2 import CreateOrderRequest, Order, OrderStatus, WatchOrderRequest
from ordersaga.order.v1.order_pb2_grpc import OrderServiceStub
from ordersaga.product.v1.product_pb2 import RestockProductRequest

_PASSING: Final = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
_IN_DOUBT: Final = _PASSING | {grpc.StatusCode.DEADLINE_EXCEEDED}
_FIRST_WAIT_SECONDS: Final = 0.2
_LONGEST_WAIT_SECONDS: Final = 5.0
_FINAL: Final = {OrderStatus.ORDER_STATUS_COMPLETED, OrderStatus.ORDER_STATUS_CANCELLED}

Repeatable = TypeVar("Repeatable", CreateOrderRequest, RestockProductRequest)


def with_request_id(request: Repeatable) -> Repeatable:
    """Give ``request`` a request id, unless it has one, and return it.

    From then on it stands for one order (or restock), and may be sent again after any error and any deadline: by
    ``grpc.aio``, in a list of ``CreateOrders``, or after a restart of the client, if it is kept until then.
    """
    if not request.request_id:
        request.request_id = str(uuid.uuid4())
    return request


def place(
    orders: OrderServiceStub, request: CreateOrderRequest, *, timeout: float = 30.0, attempt_timeout: float = 5.0
) -> Order:
    """Place one order, once, and return it; try again for up to ``timeout`` seconds where the answer stays out.

    Args:
        orders: the stub.
        request: the order. It gets a request id first, as by `with_request_id`: should this call raise, the same
            request may be placed again, however often, and stands for the same order.
        timeout: for how long, in seconds, tries are begun and waited for.
        attempt_timeout: how long each try is waited for, in seconds.

    Raises:
        grpc.RpcError: the order is refused; or, with the last try's status, none was answered in time. Only then, by
            UNAVAILABLE or DEADLINE_EXCEEDED, it is in doubt whether there is an order.
    """
    with_request_id(request)
    ends = time.monotonic() + timeout
    tries = 0
    while True:
        try:
            return orders.CreateOrder(request, timeout=min(attempt_timeout, ends - time.monotonic())).order
        except grpc.RpcError as error:
            wait = _wait(error, tries, _IN_DOUBT)
            if wait is None or time.monotonic() + wait >= ends:
                raise
        time.sleep(wait)
        tries += 1


def watch(orders: OrderServiceStub, order_id: int, *, timeout: float | None = None) -> Iterator[Order]:
    """Yield an order as it is now and after each change, until it is final.

    A stream that ends early, because the service stops or the network does, is begun again. So is one whose token has
    expired meanwhile, with the token of that moment.

    Raises:
        grpc.RpcError: NOT_FOUND, there is no such order; DEADLINE_EXCEEDED, ``timeout`` seconds have passed.
    """
    ends = None if timeout is None else time.monotonic() + timeout
    told = Order()
    failures, read = 0, False
    while told.status not in _FINAL:
        try:
            left = None if ends is None else ends - time.monotonic()
            for update in orders.WatchOrder(WatchOrderRequest(order_id=order_id), timeout=left):
                failures, read = 0, True
                if update.order != told:
                    told = update.order
                    yield told
        except grpc.RpcError as error:
            expired = read and cast("grpc.Call", error).code() is grpc.StatusCode.UNAUTHENTICATED
            wait = 0.0 if expired else _wait(error, failures, _PASSING)
            if wait is None:
                raise
            time.sleep(wait)
            failures, read = failures + 1, False


def _wait(error: grpc.RpcError, failures: int, passing: set[grpc.StatusCode]) -> float | None:
    """Return for how many seconds to wait after ``error``: as the server says, or longer each time; None for ever."""
    call = cast("grpc.Call", error)
    if call.code() not in passing:
        return None
    told = Status.FromString(cast("bytes", dict(call.trailing_metadata() or ()).get("grpc-status-details-bin", b"")))
    info = RetryInfo()
    if any(detail.Unpack(info) for detail in told.details):
        return info.retry_delay.ToTimedelta().total_seconds()
    if call.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return 0.0  # it has waited
    return min(_LONGEST_WAIT_SECONDS, _FIRST_WAIT_SECONDS * 2.0 ** min(failures, 10)) * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
