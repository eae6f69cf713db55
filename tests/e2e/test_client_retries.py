"""The client package against the real service: restarts of the service, and too short deadlines."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga_client import CHANNEL_OPTIONS, place, watch, with_token

from devstack.stack import Stack
from tests.support import trust
from tests.support.shop import COMPLETED, PRICE, Shop
from tests.support.sql import count

_ORDERS = "SELECT count(*) FROM orders WHERE user_id = %s"
CLIENTS = 8
EACH = 25


def test_orders_are_placed_once_each_though_the_service_is_killed_under_them(breakable: Stack, shop: Shop) -> None:
    product, user = shop.product(stock=1000), time.time_ns()
    service = breakable.service("order_svc")
    half_way = threading.Barrier(CLIENTS + 1)

    def order_on(_: int) -> list[order_pb2.Order]:
        with with_token(trust.channel(service.grpc, CHANNEL_OPTIONS), trust.token(service.grpc)) as channel:
            stub = order_pb2_grpc.OrderServiceStub(channel)
            placed = []
            for turn in range(EACH):
                if turn == EACH // 2:
                    half_way.wait()
                request = order_pb2.CreateOrderRequest(user_id=user, product_id=product, quantity=1, price=PRICE)
                placed.append(place(stub, request, timeout=90))
            assert [last.status for last in watch(stub, placed[-1].order_id, timeout=90)][-1] == COMPLETED
            return placed

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(order_on, number) for number in range(CLIENTS)]
        half_way.wait()
        service.kill()
        service.start()
        ids = {order.order_id for client in clients for order in client.result()}
    assert len(ids) == CLIENTS * EACH
    assert count(service.dsn, _ORDERS, user) == CLIENTS * EACH


def test_a_client_with_deadlines_of_twenty_milliseconds_orders_once_each(stack: Stack, shop: Shop) -> None:
    product, user = shop.product(), time.time_ns()
    stub = order_pb2_grpc.OrderServiceStub(shop.channel("order_svc"))

    def order_once(_: int) -> int:
        request = order_pb2.CreateOrderRequest(user_id=user, product_id=product, quantity=1, price=PRICE)
        return place(stub, request, timeout=90, attempt_timeout=0.02).order_id

    with ThreadPoolExecutor(20) as pool:
        ids = set(pool.map(order_once, range(100)))
    assert len(ids) == 100
    assert count(stack.service("order_svc").dsn, _ORDERS, user) == 100
