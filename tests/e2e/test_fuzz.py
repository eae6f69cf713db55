"""Ten thousand malformed requests: each is refused with the right reason, and has no effect."""

import time
from collections import Counter

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ordersaga.order.v1.order_pb2 import CreateOrderResponse, CreateOrdersRequest, CreateOrdersResponse

from devstack.stack import Stack
from tests.support.fuzz import API, Request, broken_fields, methods, requests
from tests.support.metrics import metric
from tests.support.rpc import Refusal, refusal_in, refusal_of
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import count
from tests.support.stored_state import StoredState

MALFORMED = 10_000
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
}
"""None of the requests is larger than a service takes: those have a test of their own."""
DETAILED_BYTES = 4096
"""Of a request above it a service may report the first broken rule alone."""
ADDED_BY = {
    "orders": ["CreateOrder"],  # that of a list too, once the list is taken apart
    "cancels": ["CancelOrder"],
    "products": ["CreateProduct"],
    "restocks": ["CreateProduct", "RestockProduct"],
}
TOGETHER = 4
"""Requests of one example: hypothesis takes as long for an example as for what is in it."""
STREAM_SECONDS = 0.3
"""A stream that is not refused by then was well formed, and has nothing to send."""

QUICK = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
)


CREATE = API["order_svc"].methods_by_name["CreateOrder"]
Answer = Message | Refusal | None
Answers = list[tuple[MethodDescriptor, Message]]
"""The answers to requests that were, by chance, well formed."""


def answer(channel: grpc.Channel, method: MethodDescriptor, body: bytes) -> Answer:
    """Send ``body`` as it is, and return what came back; None from a stream that has nothing to send."""
    assert method.containing_service is not None
    path = f"/{method.containing_service.full_name}/{method.name}"
    read = GetMessageClass(method.output_type).FromString
    try:
        if method.client_streaming:
            (only,) = channel.stream_stream(path, lambda raw: raw, read)(iter([body]), timeout=20)
            return only
        if method.server_streaming:
            stream = channel.unary_stream(path, lambda raw: raw, read)(body, timeout=STREAM_SECONDS)
            first: Message | None = next(iter(stream), None)
            stream.cancel()
            return first
        response: Message = channel.unary_unary(path, lambda raw: raw, read)(body, timeout=20)
    except grpc.RpcError as error:
        refused = refusal_of(error)
        if refused.retry_seconds is not None:  # each entry of a list counts as a call; nothing was done
            time.sleep(refused.retry_seconds)
            return answer(channel, method, body)
        waits = method.server_streaming and refused.code is grpc.StatusCode.DEADLINE_EXCEEDED
        return None if waits else refused
    return response


def judged_malformed(method: MethodDescriptor, body: bytes, answered: Answer) -> bool:
    """See that a malformed request is refused, each bad field named, and another one answered or refused for good.

    Returns whether it was malformed.
    """
    what = f"{method.full_name} answers {answered.code if isinstance(answered, Refusal) else 'a message'}"
    broken = broken_fields(method.input_type, body)
    if broken is None or broken:
        assert isinstance(answered, Refusal), what
        assert answered.code is grpc.StatusCode.INVALID_ARGUMENT, what
        few = broken is None or len(body) <= DETAILED_BYTES
        assert (set(answered.fields) == (broken or {""})) if few else set(answered.fields) <= (broken or set()), what
        return True
    if isinstance(answered, Refusal):
        assert answered.code in REFUSALS, what
    return False


def taken_apart(
    method: MethodDescriptor, body: bytes, answered: Answer
) -> list[tuple[MethodDescriptor, bytes, Answer]]:
    """Return a list of orders that was answered as so many calls for one order, and any other call as it is."""
    if not isinstance(answered, CreateOrdersResponse):
        return [(method, body, answered)]
    orders = [order.SerializeToString() for order in CreateOrdersRequest.FromString(body).orders]
    outcomes = [
        refusal_in(one.error) if one.HasField("error") else CreateOrderResponse(order=one.order)
        for one in answered.results
    ]
    return [(CREATE, order, outcome) for order, outcome in zip(orders, outcomes, strict=True)]


def fuzz(shop: Shop, service: str, method: MethodDescriptor, size: int) -> tuple[int, Answers]:
    """Send ``size`` requests to ``method``; return how many were malformed, and the answers to those that were not.

    Raises:
        AssertionError: an answer was not what the request deserves; it shows the smallest such request.
    """
    malformed, answers = 0, Answers()

    @settings(QUICK, max_examples=size // TOGETHER)
    @given(st.lists(requests(method.input_type), min_size=TOGETHER, max_size=TOGETHER))
    def send(some: list[Request]) -> None:
        nonlocal malformed
        for request in some:
            calls = taken_apart(method, request.body, answer(shop.channel(service), method, request.body))
            malformed += sum(judged_malformed(*call) for call in calls) > 0
            answers.extend((called, one) for called, _, one in calls if isinstance(one, Message))

    send()
    return malformed, answers


def rows(stack: Stack) -> Counter[str]:
    """Count what calls can add to the tables."""
    orders, products = stack.service("order_svc").dsn, stack.service("product_svc").dsn
    return Counter(
        orders=count(orders, "SELECT count(*) FROM orders"),
        cancels=count(orders, "SELECT count(*) FROM orders WHERE cancel_request_time IS NOT NULL"),
        products=count(products, "SELECT count(*) FROM products"),
        restocks=count(products, "SELECT count(*) FROM restocks"),
    )


@pytest.mark.timeout(400)
def test_ten_thousand_malformed_requests_are_refused_and_change_nothing(stack: Stack, shop: Shop) -> None:
    pids = {name: stack.service(name).pid for name in API}
    crashes, before = {name: failures(stack, name) for name in API}, rows(stack)
    malformed, answers = 0, Answers()
    share = MALFORMED // sum(1 for _ in methods())
    for service, method in methods():
        waits = method.server_streaming and not method.client_streaming
        size = share // 6 if waits else share * 3 // 2
        more, more_answers = fuzz(shop, service, method, size)
        malformed, answers = malformed + more, answers + more_answers
    assert malformed >= MALFORMED
    assert {name: stack.service(name).pid for name in API} == pids, "a process died"
    assert {name: failures(stack, name) for name in API} == crashes, "a service failed inside"
    answered = Counter(method.name for method, _ in answers)
    for table, found in rows(stack).items():
        most = sum(answered[name] for name in ADDED_BY[table])
        assert found - before[table] <= most, f"a refused call left something behind in {table}"
    placed = [message.order for _, message in answers if isinstance(message, CreateOrderResponse)]
    ended = shop.finals([*placed, shop.place(shop.product())], 60)
    assert ended[-1].status == COMPLETED
    StoredState(stack, ended).must_agree()


@pytest.mark.parametrize("service", API)
def test_a_request_that_is_larger_than_any_may_be_is_refused(shop: Shop, service: str) -> None:
    method = API[service].methods[0]
    answered = answer(shop.channel(service), method, b"\x0a" * 5_000_000)
    assert isinstance(answered, Refusal)
    assert answered.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "metadata",
    [
        (("traceparent", "rubbish"),),
        (("traceparent", "00-" + "g" * 32 + "-" + "0" * 16 + "-zz"),),
        (("traceparent", "x" * 5_000),),
        (("some-bin", b"\xff\x00\xfe"),),
        (("user-agent", "\x7e" * 1_000),),
    ],
    ids=["no-trace", "no-hex", "long", "binary", "agent"],
)
def test_rubbish_in_a_calls_metadata_does_not_matter(shop: Shop, metadata: tuple[tuple[str, str | bytes], ...]) -> None:
    product = shop.product(stock=5)
    channel = shop.channel("order_svc")
    made = GetMessageClass(CREATE.input_type)(user_id=1, product_id=product, quantity=1, price=500)
    read = CreateOrderResponse.FromString
    call = channel.unary_unary(f"/{API['order_svc'].full_name}/CreateOrder", lambda raw: raw, read)
    created = call(made.SerializeToString(), timeout=10, metadata=metadata)
    assert shop.final(created.order).order_id == created.order.order_id


def failures(stack: Stack, service: str) -> int:
    """Count the calls that a service's own code could not handle, by its metrics."""
    address = stack.service(service).metrics
    counted = ("sagakit_rpcs_total", "ordersaga_bulk_orders_total")
    return int(sum(metric(address, name, code=code) for name in counted for code in ("INTERNAL", "UNKNOWN")))
