"""grpcurl, which knows an address and nothing else: it lists, describes and calls whatever the services have."""

import json
import select
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.stack import Stack
from tests.support import builds
from tests.support.programs import output_of, run
from tests.support.shop import Shop
from tests.support.wait import eventually

SEED = '{"userId":1,"productId":1,"quantity":1,"price":10000}'
PACKAGES = {
    "order_svc": "ordersaga.order.v1",
    "product_svc": "ordersaga.product.v1",
    "delivery_svc": "ordersaga.delivery.v1",
    "orchestrator_svc": "ordersaga.orchestrator.v1",
}
OPERATOR = {"actor": "test", "reason": "to see that it can be called"}
pytestmark = pytest.mark.timeout(builds.SECONDS + 60)


class Grpcurl:
    """grpcurl, speaking to the running services."""

    def __init__(self, program: Path, stack: Stack) -> None:
        self._program, self._stack = program, stack

    def command(self, service: str, *words: str, options: tuple[str, ...] = ()) -> list[str]:
        return [str(self._program), "-plaintext", *options, self._stack.service(service).grpc, *words]

    def output(self, service: str, *words: str) -> str:
        """Return its output; it must succeed."""
        return output_of(*self.command(service, *words))

    def call(self, service: str, method: str, request: str) -> "subprocess.CompletedProcess[str]":
        """Call a method of the service's own API; the call may fail."""
        return run(*self.command(service, method_path(service, method), options=("-d", request)))

    def order(self, method: str, request: str) -> dict[str, Any]:
        """Make a call whose answer is an order, and return the order."""
        done = self.call("order_svc", method, request)
        assert done.returncode == 0, done.stderr
        order: dict[str, Any] = json.loads(done.stdout)["order"]
        return order


def method_path(service: str, method: str) -> str:
    return method if "/" in method else f"{PACKAGES[service]}.{service.removesuffix('_svc').title()}Service/{method}"


@pytest.fixture
def grpcurl(stack: Stack, go: Path) -> Grpcurl:
    return Grpcurl(go / "grpcurl", stack)


@pytest.fixture
def completed(grpcurl: Grpcurl) -> dict[str, Any]:
    """The seed's request, once its order has completed."""
    order = grpcurl.order("CreateOrder", SEED)
    assert order["status"] == "ORDER_STATUS_PENDING"

    def is_completed() -> None:
        now = grpcurl.order("GetOrder", json.dumps({"orderId": order["orderId"]}))
        assert now["status"] == "ORDER_STATUS_COMPLETED"

    eventually(is_completed)
    return order


def test_the_seeds_request_is_pending_at_once_and_completed_soon(completed: dict[str, Any]) -> None:
    assert completed["quantity"] == "1"


def test_an_order_can_be_watched_to_its_end(grpcurl: Grpcurl) -> None:
    order = grpcurl.order("CreateOrder", SEED)
    done = grpcurl.call("order_svc", "WatchOrder", json.dumps({"orderId": order["orderId"]}))
    assert done.stdout.rindex("ORDER_STATUS_COMPLETED") > done.stdout.rfind("ORDER_STATUS_PENDING")


def test_a_list_can_be_placed_and_says_why_an_order_was_refused(grpcurl: Grpcurl) -> None:
    lists = json.dumps({"orders": [json.loads(SEED), {**json.loads(SEED), "quantity": 0}]})
    done = grpcurl.call("order_svc", "CreateOrders", lists)
    assert done.returncode == 0, done.stderr
    good, bad = json.loads(done.stdout)["results"]
    assert good["order"]["status"] == "ORDER_STATUS_PENDING"
    assert bad["error"]["details"][1]["@type"].endswith("google.rpc.BadRequest")
    assert '"field": "quantity"' in done.stdout


def test_the_field_that_breaks_a_rule_is_shown(grpcurl: Grpcurl) -> None:
    done = grpcurl.call("order_svc", "CreateOrder", SEED.replace('"quantity":1', '"quantity":0'))
    assert done.returncode != 0
    assert "InvalidArgument" in done.stderr
    assert '"field": "quantity"' in done.stderr


@pytest.mark.parametrize("service", PACKAGES)
def test_every_service_lists_its_methods_and_describes_each(grpcurl: Grpcurl, service: str) -> None:
    api = method_path(service, "").rstrip("/")
    assert {api, "grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection"} <= set(
        grpcurl.output(service, "list").split()
    )
    methods = grpcurl.output(service, "list", api).split()
    assert methods
    for method in methods:
        assert grpcurl.output(service, "describe", method).startswith(f"{method} is a method:\nrpc ")
    assert f"{api} is a service:" in grpcurl.output(service, "describe")


@pytest.mark.parametrize(
    ("symbol", "kind"),
    [
        ("ordersaga.order.v1.OrderService", "a service"),
        ("ordersaga.order.v1.OrderService.CreateOrder", "a method"),
        ("ordersaga.order.v1.Order", "a message"),
        ("google.rpc.BadRequest.FieldViolation", "a message"),
        ("ordersaga.order.v1.Order.order_id", "a field"),
        ("ordersaga.order.v1.CreateOrderResult.outcome", "a one-of"),
        ("ordersaga.order.v1.OrderStatus", "an enum"),
        ("grpc.health.v1.HealthCheckResponse.ServingStatus", "an enum"),
        ("ordersaga.order.v1.ORDER_STATUS_PENDING", "an enum value"),
        ("ordersaga.order.v1.OrderStatus.ORDER_STATUS_PENDING", "an enum value"),
        ("grpc.health.v1.HealthCheckResponse.SERVING", "an enum value"),
        ("buf.validate.field", "an extension"),
        ("grpc.health.v1.Health.Watch", "a method"),
        ("grpc.reflection.v1.ServerReflection.ServerReflectionInfo", "a method"),
        ("grpc.reflection.v1alpha.ServerReflection.ServerReflectionInfo", "a method"),
    ],
)
def test_every_kind_of_symbol_is_described(grpcurl: Grpcurl, symbol: str, kind: str) -> None:
    assert f" is {kind}:\n" in grpcurl.output("order_svc", "describe", symbol)
    assert f" is {kind}:\n" in grpcurl.output("order_svc", "describe", f".{symbol}")


def test_a_symbol_that_is_not_there_is_said_not_to_be(grpcurl: Grpcurl) -> None:
    done = run(*grpcurl.command("order_svc", "describe", "ordersaga.order.v1.OrderService.DoMagic"))
    assert done.returncode != 0
    assert "Symbol not found" in done.stderr


def test_every_method_can_be_called(grpcurl: Grpcurl, shop: Shop, completed: dict[str, Any]) -> None:
    product, order = {"productId": shop.product()}, {"orderId": completed["orderId"]}
    filtered = {"filter": {"orderIds": [order["orderId"]]}, **OPERATOR}
    calls: dict[str, dict[str, dict[str, Any]]] = {
        "order_svc": {
            "CreateOrder": json.loads(SEED),
            "CreateOrders": {"orders": [json.loads(SEED)]},
            "GetOrder": order,
            "ListOrders": {"pageSize": 1},
            "CancelOrder": order,
            "WatchOrder": order,
        },
        "product_svc": {
            "CreateProduct": {"name": "A thing"},
            "GetProduct": product,
            "ListProducts": {},
            "RestockProduct": {**product, "quantity": "1"},
            "ListMovements": {**product, "pageSize": 1},
        },
        "delivery_svc": {"GetDelivery": order, "ListDeliveries": {"pageSize": 1}},
        "orchestrator_svc": {
            "GetSaga": order,
            "ListSagas": {"pageSize": 1},
            "CountSagas": {},
            "GetSagaDeclaration": {},
            "RetrySaga": {**order, **OPERATOR},
            "CancelSaga": {**order, **OPERATOR},
            "RetrySagas": filtered,
            "CancelSagas": filtered,
        },
    }
    refused = {"CancelOrder": "ORDER_FINAL", "CancelSaga": "TOO_LATE"}
    for service, requests in calls.items():
        listed = grpcurl.output(service, "list", method_path(service, "").rstrip("/")).split()
        assert {name.rpartition(".")[2] for name in listed} - {"WatchSagas"} == set(requests)
        for method, request in [*requests.items(), ("grpc.health.v1.Health/Check", {})]:
            done = grpcurl.call(service, method, json.dumps(request))
            if method in refused:
                assert f'"reason": "{refused[method]}"' in done.stderr
            else:
                assert done.returncode == 0, done.stderr


def test_sagas_are_watched_as_they_change(grpcurl: Grpcurl) -> None:
    command = grpcurl.command("orchestrator_svc", method_path("orchestrator_svc", "WatchSagas"), options=("-d", "{}"))
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as watching:
        output = watching.stdout
        assert output is not None

        def something_changes() -> None:
            grpcurl.order("CreateOrder", SEED)
            assert select.select([output], [], [], 0.2)[0]

        try:
            eventually(something_changes)
            assert output.readline() == "{\n"
            assert '"saga": {' in output.readline()
        finally:
            watching.kill()
