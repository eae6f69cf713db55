"""What each call of the four services asks of its caller: the table in the contracts, read once more as a whole."""

import re

from ordersaga.auth.v1.scope_pb2 import scope
from ordersaga.delivery.v1 import delivery_pb2
from ordersaga.orchestrator.v1 import orchestrator_pb2
from ordersaga.order.v1 import order_pb2
from ordersaga.product.v1 import product_pb2

from sagakit.rpc.scopes import scopes_of
from tools.paths import ROOT

TABLE = {
    "orders:read": {"GetOrder", "ListOrders", "WatchOrder"},
    "orders:write": {"CreateOrder", "CreateOrders", "CancelOrder"},
    "products:read": {"GetProduct", "ListProducts"},
    "products:write": {"CreateProduct", "RestockProduct"},
    "movements:read": {"ListMovements"},
    "deliveries:read": {"GetDelivery", "ListDeliveries"},
    "sagas:read": {"GetSaga", "ListSagas", "CountSagas", "WatchSagas", "GetSagaDeclaration"},
    "sagas:operate": {"RetrySaga", "RetrySagas", "CancelSaga", "CancelSagas"},
}


def test_each_method_asks_for_the_scope_that_it_should() -> None:
    found: dict[str, set[str]] = {}
    for module in (order_pb2, product_pb2, delivery_pb2, orchestrator_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method, asked in scopes_of(service, scope).items():
                found.setdefault(asked, set()).add(method)
    assert found == TABLE


def test_the_page_on_security_has_the_same_table() -> None:
    rows = re.findall(r"^\| `(\w+:\w+)` \| (.+) \|$", (ROOT / "docs/security.md").read_text(), re.MULTILINE)
    found = {scope: set(re.findall(r"`([A-Z]\w+)`", what)) for scope, what in rows}
    assert found == {**TABLE, "orders:any": set()}


def test_the_contract_and_the_page_on_security_explain_each_scope() -> None:
    for file in ("proto/ordersaga/auth/v1/scope.proto", "docs/security.md"):
        text = (ROOT / file).read_text()
        assert [scope for scope in (*TABLE, "orders:any") if scope not in text] == [], file
