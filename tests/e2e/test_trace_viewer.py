"""The viewer of traces beside the stack: an order, placed and seen in it as one tree, also one that was undone."""

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from devstack.zipkin import Zipkin
from tests.support.kafka import headers, taped
from tests.support.shop import Shop
from tests.support.wait import eventually

FIRST_BUILD_SECONDS = 2700
"""Go builds the collector once for each user."""
pytestmark = pytest.mark.timeout(FIRST_BUILD_SECONDS)


def restart_services(stack: Stack) -> None:
    for name in NAMES:
        stack.service(name).stop()
        stack.service(name).start()


@pytest.fixture(scope="module")
def zipkin(stack: Stack) -> Iterator[Zipkin]:
    """Zipkin, to which the run's stack sends the spans of every order."""
    viewer, collector = stack.observers.zipkin, stack.observers.collector
    try:
        viewer.launch({})
        collector.launch({"zipkin": viewer.url})
        for server in (viewer, collector):
            server.wait_ready()
        restart_services(stack)
        yield viewer
    finally:
        collector.stop()
        viewer.stop()
        restart_services(stack)


def placed(stack: Stack, shop: Shop, address: str = "") -> tuple[order_pb2.Order, str]:
    """Place an order as a caller who knows nothing of traces; return it at its end, and its trace's id."""
    with taped(stack.bootstrap, "order-created") as tape:
        order = shop.place(shop.product(), address=address)
        (message,) = tape.until(1, key=str(order.order_id).encode())
    _, trace_id, _, flags = headers(message)["traceparent"].decode().split("-")
    assert flags == "01", "it is recorded, though nobody asked for it"
    return shop.final(order), trace_id


def spans_of(zipkin: Zipkin, trace_id: str) -> list[dict[str, Any]]:
    """Ask Zipkin for the spans of a trace; it has none of one that it does not know."""
    try:
        with urllib.request.urlopen(f"{zipkin.url}/api/v2/trace/{trace_id}", timeout=10) as answer:  # noqa: S310 - ours
            found: list[dict[str, Any]] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code != HTTPStatus.NOT_FOUND:
            raise
        return []


def messages(*topics: str) -> Counter[str]:
    """Return the spans of messages of ``topics``: each is created, sent and processed."""
    return Counter(f"{done} {topic}" for topic in topics for done in ("create", "send", "process"))


STEPS = messages("order-created", "decrease-product-command", "product-decreased", "create-delivery-command")
STEPS += messages("delivery-created", "complete-order-command")
CALL = Counter(["ordersaga.order.v1.orderservice/createorder"])
"""Zipkin writes names in small letters."""
UNDONE = messages("decrease-product-command", "product-decreased")
"""The undo of a step and its answer travel on the topics of the step; the order's cancel on that of its completion."""


def tree(zipkin: Zipkin, trace_id: str, names: Counter[str]) -> list[dict[str, Any]]:
    """Return a trace's spans, once those of ``names`` are there and all are one tree; others may be beneath them."""

    def whole() -> None:
        spans = spans_of(zipkin, trace_id)
        assert not names - Counter(span["name"] for span in spans)
        assert [span["name"] for span in spans if "parentId" not in span] == list(CALL), "one root: the call"
        ids = {span["id"] for span in spans}
        assert len(ids) == len(spans)
        assert [span["name"] for span in spans if span.get("parentId", span["id"]) not in ids] == [], "no orphan"

    eventually(whole, 30)
    return spans_of(zipkin, trace_id)


def test_an_order_is_one_tree_of_all_four_services(stack: Stack, shop: Shop, zipkin: Zipkin) -> None:
    order, trace_id = placed(stack, shop)
    assert order.status == order_pb2.ORDER_STATUS_COMPLETED
    spans = tree(zipkin, trace_id, CALL + STEPS + Counter({"transaction": 7}))
    assert {span["localEndpoint"]["serviceName"] for span in spans} == set(NAMES)


def test_an_order_that_is_undone_is_one_tree_too(stack: Stack, shop: Shop, zipkin: Zipkin) -> None:
    order, trace_id = placed(stack, shop, address="PO Box 7")
    assert order.cancel_reason == "UNDELIVERABLE_ADDRESS"
    tree(zipkin, trace_id, CALL + STEPS + UNDONE + Counter({"transaction": 9}))


def test_its_pages_are_served_to_browsers_on_this_machine(zipkin: Zipkin) -> None:
    with urllib.request.urlopen(zipkin.pages, timeout=10) as answer:  # noqa: S310 - ours
        assert b"<title>Zipkin</title>" in answer.read()
