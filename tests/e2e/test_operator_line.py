"""An operator mends sagas with the command line: stuck sagas, sagas to be undone, a watch."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from ordersaga.order.v1 import order_pb2

from devstack.layout import ROOT
from devstack.stack import Stack
from tests.support.line import Line
from tests.support.shop import CANCELLED, COMPLETED, Shop
from tests.support.trust import in_history
from tests.support.wait import eventually

TIME_SCALE = "0.01"
"""A step's minute becomes 0.6 s, so that its five attempts are used up in about 15 s."""


@pytest.fixture
def line(stack: Stack) -> Line:
    return Line(stack)


@pytest.fixture
def hasty(breakable: Stack) -> Iterator[Stack]:
    """The stack with an orchestrator whose time runs a hundred times as fast."""
    orchestrator = breakable.service("orchestrator_svc")
    orchestrator.stop()
    orchestrator.start(extra_env={"SAGA_TIME_SCALE": TIME_SCALE})
    yield breakable
    orchestrator.stop()
    orchestrator.start()


def place_up_to_the_delivery(stack: Stack, shop: Shop, product: int, address: str) -> order_pb2.Order:
    """Place an order whose stock is taken and whose delivery gets no answer."""
    stack.service("delivery_svc").stop()
    before = shop.stock(product)
    order = shop.place(product, quantity=3, address=address)

    def stock_is_taken() -> None:
        assert shop.stock(product) == before - 3

    eventually(stock_is_taken, 30)
    return order


def waits_for_the_delivery(line: Line, order: order_pb2.Order) -> None:
    def check() -> None:
        assert line("saga", "show", order.order_id, "--json").json["saga"]["step"] == "create-delivery"

    eventually(check, 30, every=0.5)


@pytest.mark.timeout(300)
def test_a_stuck_saga_is_found_shown_and_mended_with_three_commands(hasty: Stack, shop: Shop, line: Line) -> None:
    product = shop.product(stock=100)
    order = place_up_to_the_delivery(hasty, shop, product, "PO Box 42")
    hasty.service("product_svc").stop()
    hasty.service(
        "delivery_svc"
    ).start()  # it refuses the address, and product_svc is down, so that the stock stays taken

    def is_stuck() -> None:
        stuck = line("saga", "list", "--stuck", "--json").json["sagas"]
        assert str(order.order_id) in {saga["order_id"] for saga in stuck}

    eventually(is_stuck, 120, every=1)
    shown = line("saga", "show", order.order_id)
    assert "COMPENSATING, because" in shown.out
    assert "pending command  IncreaseProductCommand" in shown.out
    assert shown.lines[-1].startswith("Next: it goes on by itself once product_svc answers IncreaseProductCommand")
    assert shown.lines[-1].endswith(f"`ordersaga saga retry {order.order_id}`")

    hasty.service("product_svc").start()
    retried = line("saga", "retry", order.order_id, "--reason", "product_svc is back", "--actor", "ann")
    assert retried.code == 0
    assert retried.out.startswith(f"order {order.order_id}: its ")
    assert shop.final(order, 60).status == CANCELLED
    assert shop.stock(product) == 100
    shown = line("saga", "show", order.order_id, "--json").json
    assert shown["saga"]["stuck"] is False
    assert ("SAGA_EVENT_TYPE_RETRIED", in_history(hasty, "ann", "product_svc is back")) in {
        (event["type"], event["reason"]) for event in shown["history"]
    }


@pytest.mark.timeout(200)
def test_a_saga_that_waits_is_cancelled_and_undone(breakable: Stack, shop: Shop, line: Line) -> None:
    product = shop.product(stock=100)
    order = place_up_to_the_delivery(breakable, shop, product, "Main Street 1")
    waits_for_the_delivery(line, order)
    cancelled = line("saga", "cancel", order.order_id, "--reason", "by mistake", "--actor", "ann")
    assert (cancelled.code, cancelled.out) == (0, f"order {order.order_id}: COMPENSATING\n")
    breakable.service("delivery_svc").start()
    final = shop.final(order, 60)
    assert (final.status, final.cancel_reason) == (CANCELLED, "CANCEL_REQUESTED")
    assert shop.stock(product) == 100
    assert in_history(breakable, "ann", "by mistake") in line("saga", "show", order.order_id).out


@pytest.mark.timeout(200)
def test_many_are_cancelled_by_a_filter_with_a_result_for_each(breakable: Stack, shop: Shop, line: Line) -> None:
    product = shop.product(stock=100)
    orders = [place_up_to_the_delivery(breakable, shop, product, "Main Street 1") for _ in range(2)]
    for order in orders:
        waits_for_the_delivery(line, order)
    options = ["--step", "create-delivery", "--status", "RUNNING", "--reason", "the carrier is closed"]
    results = line("saga", "cancel", *options, "--yes", "--json").json["results"]
    assert {str(order.order_id) for order in orders} <= {one["order_id"] for one in results if not one["error_reason"]}
    breakable.service("delivery_svc").start()
    assert {order.status for order in shop.finals(orders, 60)} == {CANCELLED}
    assert shop.stock(product) == 100


def test_a_cancel_that_comes_too_late_is_refused_and_changes_nothing(shop: Shop, line: Line) -> None:
    product = shop.product(stock=100)
    order = shop.final(shop.place(product))
    refused = line("saga", "cancel", order.order_id, "--reason", "by mistake")
    assert refused.code == 1
    assert "(TOO_LATE)" in refused.out
    assert shop.order(order.order_id).status == COMPLETED
    assert shop.stock(product) == 99


@pytest.mark.timeout(200)
def test_a_customer_cancels_an_order_under_way(breakable: Stack, shop: Shop, line: Line) -> None:
    product = shop.product(stock=100)
    order = place_up_to_the_delivery(breakable, shop, product, "Main Street 1")
    asked = line("order", "cancel", order.order_id, "--reason", "by mistake")
    assert (asked.code, asked.lines[0]) == (0, f"order {order.order_id}  PENDING, its cancel is requested")
    breakable.service("delivery_svc").start()
    watched = line("order", "watch", order.order_id)
    assert watched.lines[-1].endswith("CANCELLED, CANCEL_REQUESTED")
    assert shop.stock(product) == 100
    again = line("order", "cancel", order.order_id)
    assert again.code == 1


def test_sagas_are_watched_while_they_change(shop: Shop, line: Line) -> None:
    command = [sys.executable, "-m", "ordersaga_cli", "saga", "watch", "--json"]
    environment = {**os.environ, **line.environment}
    watched: list[dict[str, str]] = []
    # Where this run itself was begun in the background SIGINT is ignored, and a child would inherit that.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    product, placed = shop.product(), set[str]()
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        signal.signal(signal.SIGINT, before)
        stdout = watching.stdout
        assert stdout is not None
        reading = threading.Thread(target=lambda: watched.extend(json.loads(line)["saga"] for line in stdout))
        reading.start()

        def an_order_is_seen_to_complete() -> None:
            placed.add(str(shop.final(shop.place(product)).order_id))  # the first may be over before the watch begins
            assert placed & {saga["order_id"] for saga in watched if saga["status"] == "SAGA_STATUS_COMPLETED"}

        try:
            eventually(an_order_is_seen_to_complete, 30, every=0.2)
        finally:
            watching.send_signal(signal.SIGINT)
            reading.join()
    assert watching.returncode == 0
