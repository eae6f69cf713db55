"""The service config names every method of the services, and has tried again only what may be."""

import json
from typing import Any

import pytest
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2
from ordersaga_client import SERVICE_CONFIG

NOT_REPEATABLE = {"CreateOrder", "CreateOrders", "CreateProduct", "RestockProduct", "RetrySagas", "CancelSagas"}
"""What may do something twice where its answer was lost: by themselves, calls have no request_id."""
METHODS = [
    (service.full_name, method.name)
    for proto in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2)
    for service in proto.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def policy(service: str, method: str) -> dict[str, Any]:
    """Return the policy that gRPC finds: the method's, or else the service's."""
    by_name = {
        (name["service"], name.get("method", "")): config["retryPolicy"]
        for config in json.loads(SERVICE_CONFIG)["methodConfig"]
        for name in config["name"]
    }
    return dict(by_name.get((service, method)) or by_name[service, ""])


@pytest.mark.parametrize(("service", "method"), METHODS, ids=[method for _, method in METHODS])
def test_a_call_is_tried_again_where_that_does_nothing_twice(service: str, method: str) -> None:
    codes = {"RESOURCE_EXHAUSTED"} if method in NOT_REPEATABLE else {"RESOURCE_EXHAUSTED", "UNAVAILABLE"}
    assert set(policy(service, method)["retryableStatusCodes"]) == codes


def test_it_names_no_method_that_does_not_exist() -> None:
    named = {
        (name["service"], name["method"])
        for config in json.loads(SERVICE_CONFIG)["methodConfig"]
        for name in config["name"]
        if "method" in name
    }
    assert named <= set(METHODS)
