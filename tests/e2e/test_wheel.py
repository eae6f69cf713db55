"""The client package as its users install it: the wheel, its requirements, and nothing else of ours."""

import os
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

from devstack.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    "googleapis-common-protos",
    "grpcio",
    "protobuf",
    "typing_extensions",
    "googleapis-common-protos-stubs",  # this and the next two for mypy alone
    "types-grpcio",
    "types-protobuf",
)
PROGRAM = """
import sys
import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    orders = order_pb2_grpc.OrderServiceStub(channel)
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000)
    order = orders.CreateOrder(request, timeout=5).order
    for update in orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=order.order_id), timeout=60):
        print(order_pb2.OrderStatus.Name(update.order.status))
"""
ONCE = """
import sys
import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc
from ordersaga_client import CHANNEL_OPTIONS, place, watch

with grpc.insecure_channel(sys.argv[1], options=CHANNEL_OPTIONS) as channel:
    orders = order_pb2_grpc.OrderServiceStub(channel)
    request = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000)
    order = place(orders, request, timeout=30, attempt_timeout=5)
    for update in watch(orders, order.order_id, timeout=60):
        print(order_pb2.OrderStatus.Name(update.status))
"""
LISTS = """
import sys
from collections.abc import Iterator
import grpc
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

def lists() -> Iterator[order_pb2.CreateOrdersRequest]:
    order = order_pb2.CreateOrderRequest(user_id=1, product_id=1, quantity=1, price=10000)
    for _ in range(3):
        yield order_pb2.CreateOrdersRequest(orders=[order] * 100)

with grpc.insecure_channel(sys.argv[1]) as channel:
    orders = order_pb2_grpc.OrderServiceStub(channel)
    for answer in orders.CreateOrders(lists(), timeout=60):
        for result in answer.results:
            print(result.error.message if result.HasField("error") else result.order.order_id)
"""

CLOSED = """
import sys
import grpc
from ordersaga_client import token_from_environment, with_token

def secured(address, options=None):
    with open(sys.argv[2], "rb") as file:
        credentials = grpc.ssl_channel_credentials(file.read())
    return with_token(grpc.secure_channel(address, credentials, options=options), token_from_environment())
"""
"""What the lines take in the place of their channel, where the stack is closed."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from a copy, so that nothing is left in ``gen/``."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["cp", "-r", ROOT / "gen", folder / "gen"], check=True)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(folder / "gen")]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty virtual environment with the wheel and what it needs, and nothing fetched from anywhere."""
    folder = tmp_path_factory.mktemp("empty") / "venv"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, timeout=100)
    pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, str(wheel)], check=True, timeout=100)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in NEEDED:
        found = distribution(name)
        for top in {file.parts[0] for file in found.files or [] if not file.parts[0].startswith((".", "_"))}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(found.locate_file(top))))
    return folder


def run(environment: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")} | variables
    command = [str(environment / "bin" / "python"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=clean, cwd=environment)


def run_on(stack: Stack, environment: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """Run ``lines`` on the stack; in a closed one as the user that they order for."""
    address, security = stack.service("order_svc").grpc, stack.security
    if not security.on:
        return run(environment, "-c", lines, address)
    program = CLOSED + lines.replace("grpc.insecure_channel(", "secured(")
    token = str(security.ca.with_name("user.token"))
    return run(environment, "-c", program, address, str(security.ca), ORDERSAGA_TOKEN_FILE=token)


@pytest.mark.parametrize("lines", [PROGRAM, ONCE], ids=["stubs", "helpers"])
def test_ten_lines_place_an_order_and_watch_it(stack: Stack, environment: Path, lines: str) -> None:
    done = run_on(stack, environment, lines)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "ORDER_STATUS_COMPLETED"


def test_a_few_lines_more_place_three_lists(stack: Stack, environment: Path) -> None:
    done = run_on(stack, environment, LISTS)
    assert done.returncode == 0, done.stderr
    assert len({int(order_id) for order_id in done.stdout.split()}) == 300


def test_nothing_of_the_services_comes_with_it(environment: Path) -> None:
    for name in ("sagakit", "order_svc", "fastavro", "confluent_kafka"):
        assert "ModuleNotFoundError" in run(environment, "-c", f"import {name}").stderr, name


def test_the_kafka_records_are_in_it_too(environment: Path) -> None:
    done = run(environment, "-c", "from ordersaga.messages import RECORDS; print(len(RECORDS))")
    assert done.stdout.strip() == "12", done.stderr


@pytest.mark.parametrize("lines", [PROGRAM, ONCE, LISTS], ids=["one", "once", "lists"])
def test_the_lines_are_typed(environment: Path, tmp_path: Path, lines: str) -> None:
    program = tmp_path / "program.py"
    program.write_text(lines)
    python = environment / "bin" / "python"
    command = [sys.executable, "-m", "mypy", "--strict", "--python-executable", str(python), str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("lines", [PROGRAM, ONCE, LISTS], ids=["one", "once", "lists"])
def test_the_readme_shows_the_same_lines(lines: str) -> None:
    readme = (ROOT / "gen" / "README.md").read_text()
    for line in lines.strip().splitlines():
        assert line.replace("sys.argv[1]", '"127.0.0.1:50051"') in readme or line == "import sys"
