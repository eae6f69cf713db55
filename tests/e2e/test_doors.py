"""Health and reflection of every service, for a client that knows nothing but an address."""

import urllib.request
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from devstack.services import NAMES
from devstack.stack import Stack
from tests.support import trust
from tests.support.rpc import refusal
from tests.support.shop import Shop

API = {  # a service need not have one
    "order_svc": "ordersaga.order.v1.OrderService",
    "product_svc": "ordersaga.product.v1.ProductService",
    "delivery_svc": "ordersaga.delivery.v1.DeliveryService",
    "orchestrator_svc": "ordersaga.orchestrator.v1.OrchestratorService",
}
RPCS = {
    "order_svc": ["CancelOrder", "CreateOrder", "CreateOrders", "GetOrder", "ListOrders", "WatchOrder"],
    "product_svc": ["CreateProduct", "GetProduct", "ListMovements", "ListProducts", "RestockProduct"],
    "delivery_svc": ["GetDelivery", "ListDeliveries"],
    "orchestrator_svc": [
        "CancelSaga",
        "CancelSagas",
        "CountSagas",
        "GetSaga",
        "GetSagaDeclaration",
        "ListSagas",
        "RetrySaga",
        "RetrySagas",
        "WatchSagas",
    ],
}


@pytest.mark.parametrize("service", NAMES)
def test_a_service_says_that_it_is_healthy(shop: Shop, service: str) -> None:
    health: Any = health_pb2_grpc.HealthStub(shop.channel(service))  # its methods are unknown to the package's types
    for name in ("", "liveness", *filter(None, [API.get(service)])):
        answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING, name


@pytest.mark.parametrize("service", API)
def test_a_service_shows_a_stranger_what_it_can_do(shop: Shop, service: str) -> None:
    stranger = ProtoReflectionDescriptorDatabase(shop.channel(service))
    assert sorted(stranger.get_services()) == sorted(
        [API[service], "grpc.health.v1.Health", *(f"grpc.reflection.{v}.ServerReflection" for v in ("v1", "v1alpha"))]
    )
    described = DescriptorPool(stranger).FindServiceByName(API[service])
    assert sorted(method.name for method in described.methods) == RPCS[service]


@pytest.mark.parametrize("service", NAMES)
def test_a_service_shows_its_metrics(stack: Stack, service: str) -> None:
    address = stack.service(service).metrics
    url, context = trust.page(address)
    with urllib.request.urlopen(url, timeout=5, context=context) as answer:  # noqa: S310 - an HTTP URL
        text = answer.read().decode()
    assert "sagakit_ready 1.0" in text
    assert "sagakit_messages_consumed_total" in text


def test_a_method_that_does_not_exist_is_unimplemented(shop: Shop) -> None:
    call = shop.channel("order_svc").unary_unary(
        "/ordersaga.order.v1.OrderService/DoMagic", lambda body: body, lambda body: body
    )
    assert refusal(lambda: call(b"")).code is grpc.StatusCode.UNIMPLEMENTED


def test_bytes_that_are_no_request_are_refused(shop: Shop) -> None:
    call = shop.channel("order_svc").unary_unary(
        "/ordersaga.order.v1.OrderService/CreateOrder", lambda body: body, lambda body: body
    )
    refused = refusal(lambda: call(b"\xff\xff\xff\xff"))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in refused.everything
