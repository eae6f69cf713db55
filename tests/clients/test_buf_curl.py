"""`buf curl`, by reflection and by the contracts themselves."""

import base64
import json
import subprocess

import pytest
from google.rpc.error_details_pb2 import BadRequest

from devstack.stack import Stack
from tests.support.programs import run
from tests.support.shop import PRICE, Shop
from tools import imported
from tools.paths import ROOT

ORDERS = "ordersaga.order.v1.OrderService"
WAYS = {
    "by reflection": [],
    "by reflection, v1": ["--reflect-protocol", "grpc-v1"],
    "by reflection, v1alpha": ["--reflect-protocol", "grpc-v1alpha"],
    "by schema": ["--schema", str(ROOT)],
}


def curl(stack: Stack, path: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = f"http://{stack.service('order_svc').grpc}{path}"
    return run("buf", "curl", "--http2-prior-knowledge", "--protocol", "grpc", *arguments, url)


@pytest.mark.parametrize("way", WAYS)
def test_an_order_is_placed_and_watched_to_its_end(stack: Stack, shop: Shop, way: str) -> None:
    imported.ensure()
    order = {"userId": "9007199254740993", "productId": shop.product(), "quantity": 1, "price": PRICE}
    placed = curl(stack, f"/{ORDERS}/CreateOrder", *WAYS[way], "--data", json.dumps(order))
    assert placed.returncode == 0, placed.stderr
    stored = json.loads(placed.stdout)["order"]
    assert stored["userId"] == "9007199254740993"
    watch = json.dumps({"orderId": stored["orderId"]})
    watched = curl(stack, f"/{ORDERS}/WatchOrder", *WAYS[way], "--data", watch)
    assert watched.returncode == 0, watched.stderr
    assert watched.stdout.rindex("ORDER_STATUS_COMPLETED") > watched.stdout.rfind("ORDER_STATUS_PENDING")


@pytest.mark.parametrize("way", WAYS)
def test_a_refusal_names_the_field(stack: Stack, way: str) -> None:
    imported.ensure()
    refused = curl(stack, f"/{ORDERS}/CreateOrder", *WAYS[way], "--data", '{"userId":1,"productId":1}')
    assert refused.returncode != 0
    error = json.loads(refused.stderr)
    assert error["code"] == "invalid_argument"
    (bad,) = (detail["value"] for detail in error["details"] if detail["type"] == "google.rpc.BadRequest")
    violations = BadRequest.FromString(base64.b64decode(f"{bad}==")).field_violations
    assert [violation.field for violation in violations] == ["quantity"]


def test_it_lists_services_and_methods(stack: Stack) -> None:
    services = curl(stack, "", "--list-services").stdout.split()
    assert ORDERS in services
    assert {"grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= set(services)
    methods = curl(stack, "", "--list-methods").stdout.split()
    assert {f"{ORDERS}/CreateOrder", f"{ORDERS}/WatchOrder", "grpc.health.v1.Health/Check"} <= set(methods)
