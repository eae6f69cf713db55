"""One trace an order: from the caller's span to the final command it is one tree, in a collector that takes OTLP."""

import uuid
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from ordersaga.orchestrator.v1.orchestrator_pb2 import ListSagasRequest, RetrySagaRequest
from ordersaga.order.v1 import order_pb2

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.collector import Collector, collecting
from tests.support.shop import PRICE, Shop
from tests.support.wait import eventually

T = TypeVar("T")

CALLER = "00f067aa0ba902b7"
CALL = "ordersaga.order.v1.OrderService/CreateOrder"


@pytest.fixture(scope="module")
def collector(stack: Stack) -> Iterator[Collector]:
    """A collector to which all services of the run's stack send their spans."""
    with collecting() as running:
        for name in NAMES:
            stack.service(name).stop()
            stack.service(name).start(extra_env=environment(running))
        yield running
        for name in NAMES:
            stack.service(name).stop()
            stack.service(name).start()


def environment(collector: Collector) -> dict[str, str]:
    """Return what a service is started with that sends its spans to ``collector``."""
    return {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.address, "OTEL_BSP_SCHEDULE_DELAY": "200"}


def must(what: T) -> T:
    assert what
    return what


def names_of(collector: Collector, trace_id: str) -> Counter[str]:
    return Counter(span.name for _, span in collector.trace(trace_id))


def ordered(shop: Shop, *, sampled: bool = True, address: str = "") -> str:
    """Place an order in a trace of the caller's; return the trace's id once the order is final."""
    order, trace_id = placed(shop, sampled=sampled, address=address)
    shop.final(order)
    return trace_id


def placed(shop: Shop, *, sampled: bool = True, address: str = "") -> tuple[order_pb2.Order, str]:
    """Place an order in a trace of the caller's; return it, and the trace's id."""
    trace_id = uuid.uuid4().hex
    request = order_pb2.CreateOrderRequest(
        user_id=1, product_id=shop.product(), quantity=1, price=PRICE, address=address
    )
    metadata = (("traceparent", f"00-{trace_id}-{CALLER}-{'01' if sampled else '00'}"),)
    return shop.orders.CreateOrder(request, metadata=metadata, timeout=10).order, trace_id


def whole(collector: Collector, trace_id: str, names: Counter[str]) -> dict[str, Span]:
    """Return a trace's spans by their ids, once those of ``names`` are there, each as often, beside the statements."""

    def complete() -> None:
        assert Counter(span.name for _, span in collector.trace(trace_id) if not query_of(span)) == names

    eventually(complete, 20)
    return by_id(collector, trace_id)


def by_id(collector: Collector, trace_id: str) -> dict[str, Span]:
    return {span.span_id.hex(): span for _, span in collector.trace(trace_id)}


def query_of(span: Span) -> str:
    """Return the SQL text of a statement's span, and of no other."""
    return next((one.value.string_value for one in span.attributes if one.key == "db.query.text"), "")


def roots(spans: dict[str, Span]) -> list[str]:
    """Return the names of spans beneath the caller's; no other may be beneath what is not there."""
    assert {span.parent_span_id.hex() for span in spans.values()} - spans.keys() == {CALLER}, "an orphan"
    return [span.name for span in spans.values() if span.parent_span_id.hex() == CALLER]


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
) + Counter({CALL: 1, "transaction": 7})
"""The transactions: one that stores the order, and one for each message that is handled."""


def test_one_order_is_one_tree_beneath_its_caller_s_span(shop: Shop, collector: Collector) -> None:
    trace_id = ordered(shop)
    spans = whole(collector, trace_id, HAPPY)
    assert roots(spans) == [CALL]
    assert {service for service, _ in collector.trace(trace_id)} == set(NAMES)


def test_each_message_is_beneath_what_made_it(shop: Shop, collector: Collector) -> None:
    spans = whole(collector, ordered(shop), HAPPY)
    above = {span.name: spans[parent].name for span in spans.values() if (parent := span.parent_span_id.hex()) in spans}
    assert above["create order-created"] == CALL
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
        names + undo + Counter({CALL: 1, "transaction": 9}),
    )
    assert roots(spans) == [CALL]


def test_a_transaction_shows_its_statements_without_what_they_are_about(shop: Shop, collector: Collector) -> None:
    spans = whole(collector, ordered(shop, address="Secret Lane 5"), HAPPY)
    transactions = {span_id for span_id, span in spans.items() if span.name == "transaction"}
    statements = [span for span in spans.values() if query_of(span)]
    assert {span.parent_span_id.hex() for span in statements} == transactions
    assert {
        "INSERT orders",
        "INSERT outbox",
        "INSERT sagas INSERT saga_events",
        "INSERT deliveries",
        "UPDATE orders",
    } <= {span.name for span in statements}
    assert "Secret Lane" not in str(list(spans.values()))


def test_what_is_sent_again_is_in_its_order_s_tree_and_linked(stack: Stack, shop: Shop, collector: Collector) -> None:
    """The timers send a command again that nobody answers, here because an operator asks them to."""
    stack.service("delivery_svc").stop()
    try:
        order, trace_id = placed(shop)
        asked = ListSagasRequest(order_ids=[order.order_id], step="create-delivery")
        (saga,) = eventually(lambda: must(list(shop.sagas.ListSagas(asked, timeout=10).sagas)), 20)
        assert saga.trace_id == trace_id
        shop.sagas.RetrySaga(RetrySagaRequest(order_id=order.order_id, actor="a test"), timeout=10)
        eventually(lambda: must("deadline create-delivery" in names_of(collector, trace_id)), 20)
    finally:
        stack.service("delivery_svc").start(extra_env=environment(collector))
    shop.final(order)
    twice = "process create-delivery-command"
    eventually(
        lambda: must(names_of(collector, trace_id)[twice] == 2 and roots(by_id(collector, trace_id)) == [CALL]), 20
    )
    spans = by_id(collector, trace_id)
    above = [spans[span.parent_span_id.hex()].name for span in spans.values() if span.name == "create " + twice[8:]]
    assert sorted(above) == ["deadline create-delivery", "process product-decreased"]
    (batch,) = [span for span in collector.linked_to(trace_id) if span.name == "deadlines order"]
    began = [spans[link.span_id.hex()].name for link in batch.links if link.trace_id.hex() == trace_id]
    assert began == ["process order-created"]


def test_batches_link_the_messages_that_they_handle(shop: Shop, collector: Collector) -> None:
    trace_id = ordered(shop)
    spans = whole(collector, trace_id, HAPPY)
    batches = collector.linked_to(trace_id)
    assert {batch.name for batch in batches} == {f"process batch {name}" for name in NAMES}
    linked = {link.span_id.hex() for batch in batches for link in batch.links if link.trace_id.hex() == trace_id}
    assert linked == {span_id for span_id, span in spans.items() if span.name.startswith("create ")}


def test_what_the_caller_does_not_record_is_not_recorded_here(shop: Shop, collector: Collector) -> None:
    order, unrecorded = placed(shop, sampled=False)
    shop.final(order)
    whole(collector, ordered(shop), HAPPY)
    assert collector.trace(unrecorded) == []
    (saga,) = shop.sagas.ListSagas(ListSagasRequest(order_ids=[order.order_id]), timeout=10).sagas
    assert saga.trace_id == ""
