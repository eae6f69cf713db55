"""The seed's request, as it stands, through a bare grpcurl. Collected only where there is Go to build one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.stack import Stack
from tests.support.wait import eventually

SEED = '{"userId":1,"productId":1,"quantity":1,"price":10000}'


def run(program: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "-plaintext", *arguments], capture_output=True, text=True, timeout=30, check=False)


def call(program: Path, address: str, method: str, request: str) -> dict[str, Any]:
    """Make one call and return the order that is answered."""
    told = run(program, "-d", request, address, f"ordersaga.order.v1.OrderService/{method}")
    assert told.returncode == 0, told.stderr
    order: dict[str, Any] = json.loads(told.stdout)["order"]
    return order


@pytest.mark.timeout(660)
def test_the_seeds_request_is_pending_at_once_and_completed_soon(stack: Stack, program: Path) -> None:
    address = stack.service("order_svc").grpc
    order = call(program, address, "CreateOrder", SEED)
    assert order["status"] == "ORDER_STATUS_PENDING"

    def completed() -> None:
        now = call(program, address, "GetOrder", json.dumps({"orderId": order["orderId"]}))
        assert now["status"] == "ORDER_STATUS_COMPLETED"

    eventually(completed)


def test_grpcurl_can_watch_an_order_to_its_end(stack: Stack, program: Path) -> None:
    address = stack.service("order_svc").grpc
    order = call(program, address, "CreateOrder", SEED)
    request = json.dumps({"orderId": order["orderId"]})
    told = run(program, "-d", request, address, "ordersaga.order.v1.OrderService/WatchOrder")
    assert told.stdout.rindex("ORDER_STATUS_COMPLETED") > told.stdout.rfind("ORDER_STATUS_PENDING")


def test_grpcurl_can_place_a_list_and_reads_why_an_order_was_refused(stack: Stack, program: Path) -> None:
    lists = json.dumps({"orders": [json.loads(SEED), {**json.loads(SEED), "quantity": 0}]})
    told = run(program, "-d", lists, stack.service("order_svc").grpc, "ordersaga.order.v1.OrderService/CreateOrders")
    assert told.returncode == 0, told.stderr
    good, bad = json.loads(told.stdout)["results"]
    assert good["order"]["status"] == "ORDER_STATUS_PENDING"
    assert bad["error"]["details"][1]["@type"].endswith("google.rpc.BadRequest")
    assert '"field": "quantity"' in told.stdout


def test_grpcurl_shows_the_field_that_breaks_a_rule(stack: Stack, program: Path) -> None:
    told = run(
        program,
        "-d",
        SEED.replace('"quantity":1', '"quantity":0'),
        stack.service("order_svc").grpc,
        "ordersaga.order.v1.OrderService/CreateOrder",
    )
    assert told.returncode != 0
    assert "InvalidArgument" in told.stderr
    assert '"field": "quantity"' in told.stderr


def test_grpcurl_lists_what_a_service_can_do(stack: Stack, program: Path) -> None:
    told = run(program, stack.service("delivery_svc").grpc, "list", "ordersaga.delivery.v1.DeliveryService")
    assert "ordersaga.delivery.v1.DeliveryService.GetDelivery" in told.stdout
