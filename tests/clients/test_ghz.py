"""ghz, a load generator, which finds its method by reflection."""

import json
from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.support import builds
from tests.support.programs import output_of
from tests.support.shop import PRICE, Shop


@pytest.mark.timeout(builds.SECONDS + 60)
@pytest.mark.parametrize("method", ["OrderService.CreateOrder", "OrderService/CreateOrder"])
def test_it_calls_a_method_that_it_knows_by_name_only(stack: Stack, shop: Shop, go: Path, method: str) -> None:
    order = json.dumps({"userId": 1, "productId": shop.product(), "quantity": 1, "price": PRICE})
    options = ["--insecure", "--call", f"ordersaga.order.v1.{method}", "--data", order]
    options += ["--total", "20", "--concurrency", "4", "--format", "json"]
    report = json.loads(output_of(go / "ghz", *options, stack.service("order_svc").grpc))
    assert report["statusCodeDistribution"] == {"OK": 20}
