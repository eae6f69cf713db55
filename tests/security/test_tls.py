"""TLS of a service on the real servers: who is refused, certificates renewed under load, probes, and metrics."""

import os
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from ordersaga.order.v1 import order_pb2

from devstack.layout import ROOT
from devstack.stack import Stack
from tests.support.certificates import Authority, Pair, serial_at
from tests.support.rpc import code_of, refusal
from tests.support.secured import Secured
from tests.support.shop import COMPLETED, PRICE, Shop, new_user
from tests.support.sql import count

OURS, FOREIGN = Authority("ours"), Authority("foreign")
SHOP_WINDOW = OURS.sign("window.shop")
CLIENTS = 6
AGE_SECONDS = 1.0
ORDERS = "SELECT count(*) FROM orders WHERE user_id = %s"


@pytest.fixture(scope="module")
def service(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    """A replica of order_svc that only the shop window may call."""
    secured = Secured(stack, tmp_path_factory.mktemp("secured"), OURS)
    with secured.running(
        GRPC_TLS_CLIENT_NAMES="window.shop,spiffe://shop/batch", GRPC_MAX_CONNECTION_AGE_SECONDS=str(AGE_SECONDS)
    ):
        yield secured


def order(product: int, user: int) -> order_pb2.CreateOrderRequest:
    return order_pb2.CreateOrderRequest(user_id=user, product_id=product, quantity=1, price=PRICE, address="Main St 1")


def test_an_order_that_comes_by_tls_is_completed(service: Secured, shop: Shop) -> None:
    with service.channel(SHOP_WINDOW) as channel:
        placed = service.orders(channel).CreateOrder(order(shop.product(), new_user()), timeout=10).order
    assert shop.final(placed).status == COMPLETED


STRANGERS: dict[str, tuple[Pair | None, Authority, grpc.StatusCode, str]] = {
    "without a certificate": (None, OURS, grpc.StatusCode.UNAVAILABLE, ""),
    "of a foreign authority": (FOREIGN.sign("window.shop"), OURS, grpc.StatusCode.UNAVAILABLE, ""),
    "of another name": (OURS.sign("product-svc.shop"), OURS, grpc.StatusCode.PERMISSION_DENIED, "CLIENT_NOT_ALLOWED"),
    "who believes a foreign authority": (SHOP_WINDOW, FOREIGN, grpc.StatusCode.UNAVAILABLE, ""),
}


@pytest.mark.parametrize("stranger", STRANGERS)
def test_a_stranger_places_no_order(service: Secured, shop: Shop, stranger: str) -> None:
    own, believed, code, reason = STRANGERS[stranger]
    user = new_user()
    with service.channel(own, believed) as channel:
        refused = refusal(lambda: service.orders(channel).CreateOrder(order(shop.product(), user), timeout=10))
    assert (refused.code, refused.reason) == (code, reason)
    assert count(service.dsn, ORDERS, user) == 0


def test_a_call_in_the_clear_places_no_order(service: Secured, shop: Shop) -> None:
    with grpc.insecure_channel(str(service.grpc)) as channel:
        refused = refusal(lambda: service.orders(channel).CreateOrder(order(shop.product(), new_user()), timeout=10))
    assert refused.code is grpc.StatusCode.UNAVAILABLE


class Load:
    """Clients that place orders over connections of their own, one order after the other, without ever trying again."""

    def __init__(self, service: Secured, product: int) -> None:
        self._service, self._product, self.user = service, product, new_user()
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._run) for _ in range(CLIENTS)]

    def _run(self) -> "Counter[str]":
        codes = Counter[str]()
        with self._service.channel(SHOP_WINDOW) as channel:
            orders = self._service.orders(channel)
            while not self._stopping.is_set():
                try:
                    orders.CreateOrder(order(self._product, self.user), timeout=20)
                except grpc.RpcError as error:
                    codes[code_of(error).name] += 1
                else:
                    codes["OK"] += 1
        return codes

    def stop(self) -> "Counter[str]":
        """Return how often calls ended how."""
        self._stopping.set()
        codes = sum((client.result() for client in self._clients), Counter[str]())
        self._pool.shutdown()
        return codes


def test_certificates_are_renewed_under_load_and_no_call_is_lost(service: Secured, shop: Shop) -> None:
    load = Load(service, shop.product(stock=100_000))
    first = shown(service)
    for _ in range(3):
        time.sleep(1.5 * AGE_SECONDS)
        renewed = OURS.sign("127.0.0.1")
        (service.folder / "tls.crt").write_bytes(renewed.certificate)  # half written for a moment
        time.sleep(0.2)
        renewed.write(service.folder)
        assert shown(service) == renewed.serial != first
    time.sleep(1.5 * AGE_SECONDS)  # until each client has come over a new connection
    codes = load.stop()
    assert codes["OK"] > 100
    assert set(codes) == {"OK"}, codes
    assert count(service.dsn, ORDERS, load.user) == codes["OK"]
    assert len(service.lines("changed TLS files taken")) >= 3


def shown(service: Secured) -> int:
    """Return the serial number of the certificate that a new connection is shown."""
    path = service.folder / "window.pem"
    path.write_bytes(SHOP_WINDOW.certificate + SHOP_WINDOW.key)
    return serial_at(service.grpc, OURS, path)


def test_probes_in_the_clear_say_that_it_is_alive_and_ready(service: Secured) -> None:
    assert [service.probe(name) for name in ("liveness", "", "ordersaga.order.v1.OrderService")] == [1, 1, 1]


def test_metrics_are_read_by_https_alone(service: Secured) -> None:
    trusting = ssl.create_default_context(cadata=OURS.certificate.decode())
    with urllib.request.urlopen(f"https://{service.metrics}/metrics", timeout=5, context=trusting) as answer:
        assert b"sagakit_ready 1.0" in answer.read()
    with pytest.raises(OSError, match=r"closed|reset|aborted|Remote end"):
        urllib.request.urlopen(f"http://{service.metrics}/metrics", timeout=5)


def test_half_of_the_settings_ends_a_service_with_the_name_of_the_other_half(tmp_path: Path) -> None:
    OURS.sign("127.0.0.1").write(tmp_path)
    given = {"GRPC_TLS_CERTIFICATE": str(tmp_path / "tls.crt"), "METRICS_TLS_KEY": str(tmp_path / "tls.key")}
    needed = {"DATABASE_URL": "postgresql://x@127.0.0.1:1/x", "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    environment = {**os.environ, **needed, "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1", **given}
    command = [sys.executable, "-m", "order_svc"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert sorted(done.stderr.splitlines()) == [
        "GRPC_TLS_KEY: must be set too, where GRPC_TLS_CERTIFICATE is",
        "METRICS_TLS_CERTIFICATE: must be set too, where METRICS_TLS_KEY is",
    ]
