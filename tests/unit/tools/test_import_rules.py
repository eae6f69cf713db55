"""import-linter's contracts, with the services put in."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sagakit.service.manifest import Manifest
from tools.import_rules import LINT, expanded
from tools.paths import ROOT

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


@pytest.mark.parametrize(("of_a_module", "status"), [("import house.door", 1), ("", 0)])
def test_two_modules_beside_each_other_may_not_import_each_other(tmp_path: Path, of_a_module: str, status: int) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = [one for one in contracts if one["id"] == "circles"]
    config = tmp_path / "pyproject.toml"
    config.write_text(
        f"""
        [tool.importlinter]
        root_packages = ["house"]
        [[tool.importlinter.contracts]]
        name = "{contract["name"]}"
        type = "{contract["type"]}"
        ancestors = ["house"]
        """
    )
    (tmp_path / "house").mkdir()
    for name, text in (("__init__", ""), ("door", "import house.rules"), ("rules", of_a_module)):
        (tmp_path / "house" / f"{name}.py").write_text(text)
    program = [sys.executable, "-c", LINT, "--no-logo", "--no-cache", "--config", str(config)]
    linted = subprocess.run(program, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert linted.returncode == status, linted.stdout + linted.stderr


def test_no_package_of_ours_may_have_a_circle() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    (contract,) = [one for one in rules["contracts"] if one["id"] == "circles"]
    assert {*rules["root_packages"]} - {*contract["ancestors"]} == {"ordersaga"}  # which is generated
