"""One trace an order: from the caller's span to the final command it is one tree, in a collector that takes OTLP."""

import uuid
from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.collector import Collector, collecting
from tests.support.shop import PRICE, Shop
from tests.support.wait import eventually

CALLER = "00f067aa0ba902b7"


@pytest.fixture(scope="module")
def collector(stack: Stack) -> Iterator[Collector]:
    """A collector to which all services of the run's stack send their spans."""
    with collecting() as running:
        for name in NAMES:
            stack.service(name).stop()
            stack.service(name).start(
                extra_env={"OTEL_EXPORTER_OTLP_ENDPOINT": running.address, "OTEL_BSP_SCHEDULE_DELAY": "200"}
            )
        yield running
        for name in NAMES:
            stack.service(name).stop()
            stack.service(name).start()


def ordered(shop: Shop, *, sampled: bool = True, address: str = "") -> str:
    """Place an order in a trace of the caller's; return the trace's id once the order is final."""
    trace_id = uuid.uuid4().hex
    request = order_pb2.CreateOrderRequest(
        user_id=1, product_id=shop.product(), quantity=1, price=PRICE, address=address
    )
    metadata = (("traceparent", f"00-{trace_id}-{CALLER}-{'01' if sampled else '00'}"),)
    shop.final(shop.orders.CreateOrder(request, metadata=metadata, timeout=10).order)
    return trace_id


def whole(collector: Collector, trace_id: str, names: Counter[str]) -> dict[str, Span]:
    """Return a trace's spans by their ids, once those of ``names`` are there, each as often."""

    def complete() -> None:
        assert Counter(span.name for _, span in collector.trace(trace_id)) == names

    eventually(complete, 20)
    return {span.span_id.hex(): span for _, span in collector.trace(trace_id)}


def messages(*topics: str) -> Counter[str]:
    """Return the spans of messages of ``topics``: each is created, sent and processed."""
    return Counter(f"{done} {topic}" for topic in topics for done in ("create", "send", "process"))


HAPPY = messages(
    "order-created",
    "decrease-product-command",
    "product-decreased",
    "create-delivery-command",
    "delivery-created",
    "complete-order-command",
) + Counter({"ordersaga.order.v1.OrderService/CreateOrder": 1, "transaction": 7})
"""The transactions: one that stores the order, and one for each message that is handled."""


def test_one_order_is_one_tree_beneath_its_caller_s_span(shop: Shop, collector: Collector) -> None:
    trace_id = ordered(shop)
    spans = whole(collector, trace_id, HAPPY)
    parents = {span.parent_span_id.hex() for span in spans.values()}
    assert parents - spans.keys() == {CALLER}, "no orphan: all but the caller's own span is there"
    assert len([span for span in spans.values() if span.parent_span_id.hex() == CALLER]) == 1, "one root of ours"
    assert {service for service, _ in collector.trace(trace_id)} == set(NAMES)


def test_each_message_is_beneath_what_made_it(shop: Shop, collector: Collector) -> None:
    spans = whole(collector, ordered(shop), HAPPY)
    above = {span.name: spans[parent].name for span in spans.values() if (parent := span.parent_span_id.hex()) in spans}
    assert above["create order-created"] == "ordersaga.order.v1.OrderService/CreateOrder"
    assert above["process order-created"] == above["send order-created"] == "create order-created"
    assert above["create decrease-product-command"] == "process order-created"
    assert above["create complete-order-command"] == "process delivery-created"


def test_a_compensation_is_a_part_of_the_same_tree(shop: Shop, collector: Collector) -> None:
    names = messages(
        "order-created",
        "decrease-product-command",
        "product-decreased",
        "create-delivery-command",
        "delivery-created",
        "complete-order-command",
    )
    undo = messages("decrease-product-command", "product-decreased")
    spans = whole(
        collector,
        ordered(shop, address="PO Box 7"),
        names + undo + Counter({"ordersaga.order.v1.OrderService/CreateOrder": 1, "transaction": 9}),
    )
    assert {span.parent_span_id.hex() for span in spans.values()} - spans.keys() == {CALLER}


def test_batches_link_the_messages_that_they_handle(shop: Shop, collector: Collector) -> None:
    trace_id = ordered(shop)
    spans = whole(collector, trace_id, HAPPY)
    batches = collector.linked_to(trace_id)
    assert {batch.name for batch in batches} == {f"process batch {name}" for name in NAMES}
    linked = {link.span_id.hex() for batch in batches for link in batch.links if link.trace_id.hex() == trace_id}
    assert linked == {span_id for span_id, span in spans.items() if span.name.startswith("create ")}


def test_what_the_caller_does_not_record_is_not_recorded_here(shop: Shop, collector: Collector) -> None:
    unrecorded = ordered(shop, sampled=False)
    whole(collector, ordered(shop), HAPPY)
    assert collector.trace(unrecorded) == []
