"""import-linter's contracts, with the services put in."""

from sagakit.service.manifest import Manifest
from tools.import_rules import expanded

SERVICES = {
    name: Manifest(name, "", grpc_port=0, metrics_port=0, rules=rules, reads=(), writes=())
    for name, rules in (("order_svc", "orders"), ("product_svc", "stock"))
}


def test_a_pattern_stands_for_every_service() -> None:
    assert expanded('["sagakit", "*_svc"]', SERVICES) == '["sagakit", "order_svc", "product_svc"]'
    assert expanded('["*_svc.manifest"]', SERVICES) == '["order_svc.manifest", "product_svc.manifest"]'


def test_a_contract_is_found_by_its_id() -> None:
    contract = 'id = "story"\nname = "One way only"\n'
    assert expanded(contract, SERVICES) == 'id = "story"\nname = "One way only (contract `story`)"\n'


def test_the_rules_of_each_service_are_named_by_its_manifest() -> None:
    assert expanded('["*_svc.<rules>"]', SERVICES) == '["order_svc.orders", "product_svc.stock"]'
    assert expanded('"store", "<rules>"', SERVICES) == '"store", "(orders) | (stock)"'
