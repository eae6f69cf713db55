"""Ten thousand malformed requests: each is refused for what it is, and nothing else comes of it."""

from collections import Counter

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings

from devstack.stack import Stack
from tests.support.fuzz import API, Request, methods, requests
from tests.support.metrics import metric
from tests.support.rpc import code_of
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import count

MALFORMED = 10_000
REFUSALS = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
}
"""None of the requests is larger than a service takes: those have a test of their own."""
STREAM_SECONDS = 0.3
"""A stream that is not refused by then was well asked for, and has nothing to say."""

QUICK = settings(
    deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck), print_blob=False
)


def answer(channel: grpc.Channel, method: MethodDescriptor, body: bytes) -> grpc.StatusCode:
    """Send ``body`` as it is, and return the status of what came back."""
    assert method.containing_service is not None
    path = f"/{method.containing_service.full_name}/{method.name}"
    read = GetMessageClass(method.output_type).FromString
    try:
        if method.server_streaming:
            for _ in channel.unary_stream(path, lambda raw: raw, read)(body, timeout=STREAM_SECONDS):
                break
        else:
            channel.unary_unary(path, lambda raw: raw, read)(body, timeout=20)
    except grpc.RpcError as error:
        code = code_of(error)
        return grpc.StatusCode.OK if method.server_streaming and code is grpc.StatusCode.DEADLINE_EXCEEDED else code
    return grpc.StatusCode.OK


def fuzz(shop: Shop, service: str, method: MethodDescriptor, size: int) -> Counter[grpc.StatusCode]:
    """Send ``size`` requests to ``method``, and count the answers.

    Raises:
        AssertionError: an answer was neither a success nor a refusal; it tells the smallest such request.
    """
    codes: Counter[grpc.StatusCode] = Counter()

    @settings(QUICK, max_examples=size)
    @given(requests(method.input_type))
    def send(request: Request) -> None:
        code = answer(shop.channel(service), method, request.body)
        codes[code] += 1
        assert code is grpc.StatusCode.OK or code in REFUSALS, f"{method.full_name} answers {code.name}"

    send()
    return codes


@pytest.mark.timeout(400)
def test_ten_thousand_malformed_requests_are_refused_and_change_nothing(stack: Stack, shop: Shop) -> None:
    product = shop.product(stock=50)
    pids = {name: stack.service(name).pid for name in API}
    crashes = {name: failures(stack, name) for name in API}
    codes: Counter[grpc.StatusCode] = Counter()
    share = MALFORMED // sum(1 for _ in methods())
    for service, method in methods():
        size = share // 6 if method.server_streaming else share * 2
        codes += fuzz(shop, service, method, size)
    refused = sum(found for code, found in codes.items() if code is not grpc.StatusCode.OK)
    assert refused >= MALFORMED, codes
    assert {name: stack.service(name).pid for name in API} == pids, "a process died"
    assert {name: failures(stack, name) for name in API} == crashes, "a service failed inside"
    assert shop.stock(product) == 50
    assert count(stack.service("order_svc").dsn, "SELECT count(*) FROM orders WHERE product_id = %s", product) == 0
    assert shop.final(shop.place(product)).status == COMPLETED


@pytest.mark.parametrize("service", API)
def test_a_request_that_is_larger_than_any_may_be_is_refused(shop: Shop, service: str) -> None:
    method = API[service].methods[0]
    assert answer(shop.channel(service), method, b"\x0a" * 5_000_000) is grpc.StatusCode.RESOURCE_EXHAUSTED


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
    method = API["order_svc"].methods_by_name["CreateOrder"]
    made = GetMessageClass(method.input_type)(user_id=1, product_id=product, quantity=1, price=500)
    read = GetMessageClass(method.output_type).FromString
    call = channel.unary_unary(f"/{API['order_svc'].full_name}/CreateOrder", lambda raw: raw, read)
    created = call(made.SerializeToString(), timeout=10, metadata=metadata)
    assert shop.final(created.order).order_id == created.order.order_id


def failures(stack: Stack, service: str) -> int:
    """Count the calls that a service's own code could not handle, as its metrics tell."""
    address = stack.service(service).metrics
    return int(sum(metric(address, "ordersaga_rpcs_total", code=code) for code in ("INTERNAL", "UNKNOWN")))
