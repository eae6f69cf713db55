"""The load generator, against a real gRPC server that knows how each call will be answered."""

import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

from bench.http2 import Access
from bench.load import Caller
from devstack.certificates import Authority
from tests.support.served import served

OK, UNAVAILABLE = 0, 14
LONG = "x" * 400


class Till(order_pb2_grpc.OrderServiceServicer):
    """Takes every order but those of product 2, and completes each at the second look."""

    def __init__(self) -> None:
        self.orders: list[order_pb2.CreateOrderRequest] = []
        self.watched: list[int] = []
        self.tokens: set[object] = set()

    def CreateOrder(  # noqa: N802 - the contract's name
        self, request: order_pb2.CreateOrderRequest, context: grpc.ServicerContext
    ) -> order_pb2.CreateOrderResponse:
        if request.product_id == 2:
            context.abort(grpc.StatusCode.UNAVAILABLE, "closed")
        self.orders.append(request)
        self.tokens.add(dict(context.invocation_metadata()).get("authorization"))
        return order_pb2.CreateOrderResponse(order=order_pb2.Order(order_id=len(self.orders), address=LONG))

    def WatchOrder(  # noqa: N802 - the same
        self, request: order_pb2.WatchOrderRequest, _: grpc.ServicerContext
    ) -> Iterator[order_pb2.WatchOrderResponse]:
        self.watched.append(request.order_id)
        for status in (order_pb2.ORDER_STATUS_PENDING, order_pb2.ORDER_STATUS_COMPLETED):
            yield order_pb2.WatchOrderResponse(order=order_pb2.Order(order_id=request.order_id, status=status))


@pytest.fixture
def till() -> Till:
    return Till()  # type: ignore[abstract] # nobody calls the other methods


def test_callers_order_again_and_again_until_the_time_is_over(till: Till, address: str) -> None:
    caller = Caller([address], [7], 500)
    load = caller.closed(20, 0.5)
    assert load.placed == load.answers[OK] == len(load.creates) == len(till.orders) > 100
    assert {(order.product_id, order.quantity, order.price) for order in till.orders} == {(7, 1, 500)}


def test_so_many_orders_and_no_more_are_placed_where_that_is_asked(till: Till, address: str) -> None:
    caller = Caller([address], [7], 500)
    load = caller.closed(8, at_most=50)
    assert load.placed == load.answers[OK] == len(till.orders) == 50


def test_a_watched_order_is_complete_when_its_stream_ends(till: Till, address: str) -> None:
    caller = Caller([address], [7], 500)
    load = caller.closed(1, 0.3, watch_every=1)
    assert len(load.completions) == load.placed == len(till.watched)
    assert till.watched == list(range(1, load.placed + 1))
    assert all(complete > create for create, complete in zip(load.creates, load.completions, strict=True))


def test_each_tenth_order_is_watched_however_many_are_answered_at_once(till: Till, address: str) -> None:
    load = Caller([address], [7], 500).closed(25, at_most=50, watch_every=10)
    assert len(load.completions) == len(till.watched) == 5


def test_arrivals_keep_their_rate_and_count_from_when_they_were_due(address: str) -> None:
    caller = Caller([address], [7], 500)
    load = caller.open(200, 1.0, watch_every=10)
    assert 130 < load.placed < 280
    assert len(load.creates) == load.placed
    assert load.completions


def test_errors_are_counted_by_their_status(address: str) -> None:
    caller = Caller([address], [2], 500)
    load = caller.closed(4, 0.1)
    assert set(load.answers) == {UNAVAILABLE}


def test_a_server_that_gives_up_silent_connections_serves_the_next_load(till: Till) -> None:
    hasty = [
        ("grpc.keepalive_time_ms", 100),
        ("grpc.keepalive_timeout_ms", 100),
        ("grpc.http2.ping_timeout_ms", 100),
    ]
    with served(till, hasty) as address:
        caller = Caller([address], [7], 500)
        for _ in range(2):
            assert caller.closed(4, at_most=20).answers[OK] == 20
            time.sleep(1)


@pytest.mark.parametrize("size", [100, 119, 120, 121, 700])
def test_a_token_goes_with_each_call_over_tls(till: Till, tmp_path: Path, size: int) -> None:
    authority = Authority(tmp_path)
    certificate, key = (file.read_bytes() for file in authority.issue("order_svc"))
    token = "x" * size
    trust = ssl.create_default_context(cafile=authority.certificate)
    trust.set_alpn_protocols(["h2"])
    with served(till, credentials=grpc.ssl_server_credentials([(key, certificate)])) as address:
        load = Caller([address], [7], 500, access=Access(token, trust)).closed(64, at_most=500, watch_every=10)
    assert load.answers == {OK: 500}
    assert len(load.completions) == 50
    assert till.tokens == {f"Bearer {token}"}


def test_a_server_that_is_gone_is_reported() -> None:
    with pytest.raises(OSError, match="refused"):
        Caller(["127.0.0.1:1"], [7], 500).closed(1, 0.1)
