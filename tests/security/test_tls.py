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
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from ordersaga.order.v1 import order_pb2, order_pb2_grpc

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
    with service.channel(own, believed.certificate) as channel:
        refused = refusal(lambda: service.orders(channel).CreateOrder(order(shop.product(), user), timeout=10))
    assert (refused.code, refused.reason) == (code, reason)
    assert count(service.dsn, ORDERS, user) == 0


def test_a_call_in_the_clear_places_no_order(service: Secured, shop: Shop) -> None:
    with grpc.insecure_channel(str(service.grpc)) as channel:
        refused = refusal(lambda: service.orders(channel).CreateOrder(order(shop.product(), new_user()), timeout=10))
    assert refused.code is grpc.StatusCode.UNAVAILABLE


class Load:
    """Clients that place orders, one after the other, without ever trying again.

    Each goes on with another certificate when ``give`` is called, which takes another connection.
    """

    def __init__(self, service: Secured, product: int, own: Pair, believed: bytes) -> None:
        self._service, self._product, self.user = service, product, new_user()
        self._own, self._believed = own, believed
        self._stopping = threading.Event()
        self._pool = ThreadPoolExecutor(CLIENTS)
        self._clients = [self._pool.submit(self._run) for _ in range(CLIENTS)]

    def give(self, own: Pair) -> None:
        """Give the clients another certificate."""
        self._own = own

    def _run(self) -> "Counter[str]":
        codes = Counter[str]()
        while not self._stopping.is_set():
            own = self._own
            with self._service.channel(own, self._believed) as channel:
                orders = self._service.orders(channel)
                while own is self._own and not self._stopping.is_set():
                    codes[self._place(orders)] += 1
        return codes

    def _place(self, orders: order_pb2_grpc.OrderServiceStub) -> str:
        try:
            orders.CreateOrder(order(self._product, self.user), timeout=20)
        except grpc.RpcError as error:
            return str(code_of(error).name)
        return "OK"

    def must_have_lost_nothing(self) -> None:
        """Stop, and see that each call was answered, and its order stored."""
        self._stopping.set()
        codes = sum((client.result() for client in self._clients), Counter[str]())
        self._pool.shutdown()
        assert codes["OK"] > 100
        assert set(codes) == {"OK"}, codes
        assert count(self._service.dsn, ORDERS, self.user) == codes["OK"]


def test_certificates_are_renewed_under_load_and_no_call_is_lost(service: Secured, shop: Shop) -> None:
    load = Load(service, shop.product(stock=100_000), SHOP_WINDOW, OURS.certificate)
    first = shown(service)
    for _ in range(3):
        time.sleep(1.5 * AGE_SECONDS)
        renewed = OURS.sign("127.0.0.1")
        (service.folder / "tls.crt").write_bytes(renewed.certificate)  # half written for a moment
        time.sleep(0.2)
        renewed.write(service.folder)
        assert shown(service) == renewed.serial != first
    time.sleep(1.5 * AGE_SECONDS)  # until each client has come over a new connection
    load.must_have_lost_nothing()
    assert len(service.lines("changed TLS files taken")) >= 3


def test_an_authority_is_replaced_step_by_step_under_load_and_no_call_is_lost(service: Secured, shop: Shop) -> None:
    following, ca = Authority("following"), service.folder / "ca.crt"
    both = OURS.certificate + following.certificate
    load = Load(service, shop.product(stock=100_000), SHOP_WINDOW, both)
    steps: list[Callable[[], object]] = [
        lambda: ca.write_bytes(both),
        lambda: following.sign("127.0.0.1").write(service.folder),
        lambda: load.give(following.sign("window.shop")),
        lambda: ca.write_bytes(following.certificate),
    ]
    for step in steps:
        step()
        time.sleep(1.5 * AGE_SECONDS)
    load.must_have_lost_nothing()
    with service.channel(SHOP_WINDOW, both) as former:
        refused = refusal(lambda: service.orders(former).CreateOrder(order(1, new_user()), timeout=10))
    assert refused.code is grpc.StatusCode.UNAVAILABLE
    OURS.sign("127.0.0.1", "localhost").write(service.folder)  # as the other tests have it
    ca.write_bytes(OURS.certificate)


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
