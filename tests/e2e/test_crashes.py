"""Services that are killed in the middle of their work: every order ends, and every piece is accounted for."""

import os
import signal
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import cycle

import grpc
import psutil
import pytest
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.rpc import code_of
from tests.support.shop import COMPLETED, PRICE, Shop
from tests.support.stored_state import StoredState
from tests.support.wait import eventually

ORDERS = 400
AT_ONCE = 64
FINAL_SECONDS = 30.0


def kinds(plenty: int, none_left: int) -> list[dict[str, object]]:
    """Nine orders of which three are refused, each in a way of its own."""
    good: dict[str, object] = {"product_id": plenty, "quantity": 2}
    return [
        good,
        good,
        {**good, "price": PRICE + 1},
        good,
        good,
        {**good, "address": "PO Box 42"},
        good,
        good,
        {**good, "product_id": none_left},
    ]


def place_many(
    shop: Shop, count: int, orders: list[dict[str, object]]
) -> tuple[ThreadPoolExecutor, list[Future[order_pb2.Order]]]:
    pool = ThreadPoolExecutor(AT_ONCE)
    placing = [pool.submit(shop.place, **order) for order, _ in zip(cycle(orders), range(count), strict=False)]  # type: ignore[arg-type] # by name
    pool.shutdown(wait=False)
    return pool, placing


def wait_for(placing: list[Future[order_pb2.Order]], done: int) -> None:
    def enough() -> None:
        assert sum(one.done() for one in placing) >= done

    eventually(enough, 60, every=0.005)


@pytest.mark.timeout(240)
def test_kill_9_of_orchestrator_and_product_service_under_load_loses_and_doubles_nothing(
    breakable: Stack, shop: Shop
) -> None:
    plenty, none_left = shop.product(stock=10_000), shop.product(stock=0)
    killed = [breakable.service("orchestrator_svc"), breakable.service("product_svc")]
    _, placing = place_many(shop, ORDERS, kinds(plenty, none_left))
    wait_for(placing, ORDERS // 2)
    for service in killed:
        service.kill()
    orders = [one.result() for one in placing]
    for service in killed:
        service.start()
    began = time.monotonic()
    finals = shop.finals(orders, FINAL_SECONDS)
    assert time.monotonic() - began < FINAL_SECONDS
    state = StoredState(breakable, finals)
    assert state.reasons() == {
        "": 267,
        "PRICE_CHANGED": 45,
        "UNDELIVERABLE_ADDRESS": 44,
        "OUT_OF_STOCK": 44,
    }
    assert shop.stock(plenty) == 10_000 - 2 * 267
    assert shop.stock(none_left) == 0
    state.must_agree()


@pytest.mark.timeout(240)
@pytest.mark.parametrize("name", ["order_svc", "delivery_svc"])
def test_kill_9_of_any_other_service_loses_and_doubles_nothing(breakable: Stack, shop: Shop, name: str) -> None:
    plenty, none_left = shop.product(stock=10_000), shop.product(stock=0)
    _, placing = place_many(shop, 150, kinds(plenty, none_left))
    wait_for(placing, 75)
    breakable.service(name).kill()
    accepted = [one.result() for one in placing if one.exception() is None]
    assert len(accepted) >= 75
    breakable.service(name).start()
    finals = shop.finals(accepted, FINAL_SECONDS)
    state = StoredState(breakable, finals)
    state.must_agree()


def test_lists_that_a_crash_cuts_short_are_sent_again_and_nothing_is_lost_or_doubled(
    breakable: Stack, shop: Shop
) -> None:
    product = shop.product(stock=5000)
    lists = [
        order_pb2.CreateOrdersRequest(
            orders=[
                order_pb2.CreateOrderRequest(
                    user_id=1, product_id=product, quantity=1, price=PRICE, request_id=str(uuid.uuid4())
                )
                for _ in range(5)
            ]
        )
        for _ in range(200)
    ]
    answered: list[list[int]] = []

    def stream_and_kill() -> None:
        for answer in shop.orders.CreateOrders(iter(lists), timeout=60):
            answered.append([result.order.order_id for result in answer.results])
            if len(answered) == 20:
                breakable.service("order_svc").kill()

    with pytest.raises(grpc.RpcError) as caught:
        stream_and_kill()
    assert code_of(caught.value) is grpc.StatusCode.UNAVAILABLE
    breakable.service("order_svc").start()
    again = list(shop.orders.CreateOrders(iter(lists), timeout=60))
    orders = [[result.order for result in answer.results] for answer in again]
    assert [[order.order_id for order in each] for each in orders[: len(answered)]] == answered
    finals = shop.finals([order for each in orders for order in each], FINAL_SECONDS)
    assert {order.status for order in finals} == {COMPLETED}
    assert shop.stock(product) == 5000 - len(finals) == 4000
    StoredState(breakable, finals).must_agree()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", NAMES)
def test_sigterm_ends_a_service_in_good_order(breakable: Stack, shop: Shop, name: str) -> None:
    product = shop.product(stock=1000)
    service = breakable.service(name)
    requests = [str(uuid.uuid4()) for _ in range(120)]
    _, placing = place_many(shop, 120, [{"product_id": product, "request_id": request} for request in requests])
    wait_for(placing, 40)
    pid = service.pid
    assert pid is not None
    process = psutil.Process(pid)
    process.send_signal(signal.SIGTERM)
    assert exit_code(process) == 0
    first = [None if one.exception() else one.result() for one in placing]
    refused = {code_of(error) for one in placing if isinstance(error := one.exception(), grpc.RpcError)}
    assert refused <= {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.CANCELLED,
    }  # CANCELLED is gRPC's status for calls that waited
    service.start()
    # An answer can still be lost with its connection; a client that asks again gets the one order in any case.
    orders = [shop.place(product, request_id=request, wait_for_ready=True) for request in requests]
    assert all(was is None or was.order_id == now.order_id for was, now in zip(first, orders, strict=True))
    finals = shop.finals(orders, FINAL_SECONDS)
    assert {order.status for order in finals} == {COMPLETED}
    assert shop.stock(product) == 1000 - len(requests)
    assert '"event": "stopped"' in service.log.read_text()


def exit_code(process: psutil.Process) -> int:
    """Wait for a child process and return its exit code; a signal's number, negative, where one ended it."""
    give_up = time.monotonic() + 30
    while time.monotonic() < give_up:
        pid, status = os.waitpid(process.pid, os.WNOHANG)
        if pid:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    msg = f"{process} does not end"
    raise AssertionError(msg)


@pytest.mark.timeout(120)
def test_a_second_replica_takes_over_where_the_first_one_dies(breakable: Stack, shop: Shop) -> None:
    product = shop.product(stock=1000)
    replica = breakable.replica("product_svc")
    replica.start()
    try:
        _, placing = place_many(shop, 100, [{"product_id": product}])
        wait_for(placing, 50)
        breakable.service("product_svc").kill()
        finals = shop.finals([one.result() for one in placing], FINAL_SECONDS)
        assert {order.status for order in finals} == {COMPLETED}
        breakable.service("product_svc").start()
        assert shop.stock(product) == 900
    finally:
        replica.stop()
