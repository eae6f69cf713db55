"""Watching an order: as it is now, and again after each change, until it is final."""

import time

import grpc
import pytest
from ordersaga.order.v1 import order_pb2

from tests.support.rpc import refusal
from tests.support.shop import CANCELLED, COMPLETED, PENDING, Shop


def watch(shop: Shop, order: order_pb2.Order) -> list[order_pb2.Order]:
    request = order_pb2.WatchOrderRequest(order_id=order.order_id)
    return [update.order for update in shop.orders.WatchOrder(request, timeout=20)]


@pytest.mark.parametrize(
    ("address", "end"), [("Main Street 1", COMPLETED), ("PO Box 42", CANCELLED)], ids=["completed", "cancelled"]
)
def test_a_watched_order_is_seen_to_its_end(shop: Shop, address: str, end: int) -> None:
    seen = watch(shop, shop.place(shop.product(), address=address))
    assert seen[-1].status == end
    assert seen[-1] == shop.final(seen[-1]), "it is shown as it is stored"
    assert [order.status for order in seen[:-1]] in ([], [PENDING])


def test_watching_an_order_that_is_final_shows_it_once(shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    assert watch(shop, order) == [order]


def test_the_end_is_seen_as_soon_as_it_is_there(shop: Shop) -> None:
    product = shop.product()
    shop.final(shop.place(product))  # everything is warm
    waits = []
    for _ in range(5):
        began = time.monotonic()
        watch(shop, shop.place(product))
        waits.append(time.monotonic() - began)
    assert sorted(waits)[2] < 2, waits  # well below the five seconds after which a watcher looks by itself


def test_an_order_that_does_not_exist_cannot_be_watched(shop: Shop) -> None:
    refused = refusal(lambda: watch(shop, order_pb2.Order(order_id=2**62)))
    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "ORDER_NOT_FOUND")
