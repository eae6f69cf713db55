"""The rooms: who may import whom. Read from the source, so that nothing has to be started."""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SERVICES = {"order_svc", "product_svc", "delivery_svc", "orchestrator_svc"}
MAY_IMPORT = {
    "chassis": set[str](),
    "saga": {"chassis"},
    **{service: {"chassis", "saga", "ordersaga"} for service in SERVICES},
    "devstack": {"chassis", "ordersaga"},
    "ordersaga_cli": {"chassis", "ordersaga"},
    "tools": {"chassis"},  # what it writes migrations down by
}
"""Which of our own packages a room may import, beside itself."""

OURS = {*MAY_IMPORT, "ordersaga", "tests", "bench"}
SAGA_LIBRARIES = ["prometheus_client", "psycopg", "pydantic"]
RULES = {"orders", "stock", "deliveries", "order_saga"}
ORDER = {"store": 1, "api": 3, "handlers": 3, "__main__": 4}
"""A service's modules import from lower ones only. The rules are 0; what stands between store and doors is 2."""


@dataclass(frozen=True)
class Import:
    """One import, and where it stands."""

    path: Path
    line: int
    module: str

    def __str__(self) -> str:
        return f"{self.path.as_posix()}:{self.line} imports {self.module}"

    @property
    def room(self) -> str:
        return self.path.parts[0]

    @property
    def target(self) -> str:
        return self.module.split(".")[0]


def imports(path: Path, source: str) -> Iterator[Import]:
    """Every import of a file, down to the names taken from a package, since these may be modules."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(path, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = list(path.parts[: len(path.parts) - node.level]) if node.level else []
            module = ".".join([*package, *([node.module] if node.module else [])])
            yield from (Import(path, node.lineno, f"{module}.{alias.name}") for alias in node.names)


def wrong(one: Import) -> str | None:
    """Say why an import is against the house rules, if it is."""
    if one.target in OURS - {one.room} - MAY_IMPORT[one.room]:
        return f"{one}; {one.room} may import of ours only {sorted(MAY_IMPORT[one.room]) or 'itself'}"
    if one.room == "saga" and not is_standard(one, "saga", "chassis", *SAGA_LIBRARIES):
        return f"{one}; saga may import only chassis, {', '.join(SAGA_LIBRARIES)} and the standard library"
    if one.room in SERVICES and "migrations" not in one.path.parts:
        return wrong_in_service(one)
    return None


def wrong_in_service(one: Import) -> str | None:
    module = one.path.stem
    if module in RULES and one.target != "saga" and not one.module.startswith("ordersaga.messages."):
        if not is_standard(one):
            return f"{one}; rules import only saga, ordersaga.messages and the standard library"
    elif one.target == one.room and height([*one.module.split("."), "__init__"][1]) >= height(module):
        return f"{one}; in a service imports go one way: rules <- store <- handlers, api <- __main__"
    return None


def height(module: str) -> int:
    return 0 if module in RULES else ORDER.get(module, 2)


def is_standard(one: Import, *others: str) -> bool:
    return one.target in sys.stdlib_module_names or one.target in others


def wrong_in(path: str, source: str) -> list[str]:
    return [reason for one in imports(Path(path), source) if (reason := wrong(one))]


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_run_one_way(room: str) -> None:
    found = [
        reason
        for path in sorted((ROOT / room).rglob("*.py"))
        for reason in wrong_in(path.relative_to(ROOT).as_posix(), path.read_text())
    ]
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("chassis/codec.py", "from ordersaga.messages import OrderCreated"),
        ("chassis/codec.py", "def f():\n    import order_svc.store"),
        ("saga/store.py", "import grpc"),
        ("saga/store.py", "from order_svc import orders"),
        ("order_svc/api.py", "from product_svc.store import products"),
        ("order_svc/api.py", "from order_svc import handlers"),
        ("order_svc/intake.py", "from . import api"),
        ("order_svc/store.py", "from order_svc.handlers import complete"),
        ("order_svc/orders.py", "from order_svc import store"),
        ("order_svc/orders.py", "import psycopg"),
        ("order_svc/orders.py", "from ordersaga.order.v1 import order_pb2"),
        ("devstack/services.py", "import order_svc.__main__"),
        ("order_svc/store.py", "import tools.git"),
        ("ordersaga_cli/places.py", "from devstack.state import State"),
    ],
)
def test_an_import_the_wrong_way_is_found(path: str, source: str) -> None:
    (reason,) = wrong_in(path, source)
    assert reason.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("saga/store.py", "from psycopg import Cursor"),
        ("saga/store.py", "from chassis.errors import Poison\nimport json"),
        ("order_svc/orders.py", "from ordersaga.messages import OrderCreated\nfrom saga import Step"),
        ("order_svc/api.py", "from order_svc import intake, orders, store\nimport grpc"),
        ("order_svc/migrations/env.py", "from chassis.migrations import run"),
    ],
)
def test_an_import_the_right_way_passes(path: str, source: str) -> None:
    assert wrong_in(path, source) == []
