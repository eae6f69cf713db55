"""What attacks on a running service have in common: who else calls it, and what it takes meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import psutil
from ordersaga.order.v1 import order_pb2

from devstack.services import Service
from sagakit.runtime.settings import Listen
from tests.support import trust
from tests.support.closed import Closed
from tests.support.metrics import metric
from tests.support.shop import COMPLETED, Shop, new_user

_OPTIONS: list[tuple[str, object]] = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_http_proxy", 0)]
_SECONDS = 120


class Buyer:
    """A caller who has nothing to do with an attack, and buys meanwhile."""

    def __init__(self, shop: Shop, user: int, product: int) -> None:
        self._shop, self._user, self._product = shop, user, product

    def buys(self) -> int:
        """Place an order and watch it to its end, each within the call's deadline; return the order's id."""
        order_id = self._shop.place(self._product, user_id=self._user).order_id
        watching = self._shop.orders.WatchOrder(order_pb2.WatchOrderRequest(order_id=order_id), timeout=60)
        assert [update.order.status for update in watching][-1] == COMPLETED
        return order_id


@contextmanager
def another(services: Closed) -> Iterator[Buyer]:
    """Let another caller come."""
    user = new_user()
    with services.operator() as operator, services.customer(user) as shop:
        yield Buyer(shop, user, operator.product(stock=100_000))


def memory(service: Service) -> int:
    """Return how many bytes the service's process takes of the machine."""
    return int(psutil.Process(service.pid).memory_info().rss)


def open_streams(service: Service, method: str) -> float:
    """Return how many streams of ``method`` are open, by the service's metrics."""
    return metric(service.metrics, "sagakit_rpc_streams", method=method)


def connections(service: Service) -> int:
    """Return how many connections to the service's API are open, as its system sees it."""
    port = address_of(service).port
    found = psutil.Process(service.pid).net_connections("tcp")
    return sum(one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED for one in found)


def address_of(service: Service) -> Listen:
    """Return where the service's API is."""
    host, _, port = service.grpc.rpartition(":")
    return Listen(host, int(port))


def channel_through(address: Listen, service: Service) -> grpc.aio.Channel:
    """Open a channel to the closed service by way of ``address``: its own, or that of a proxy in front of it."""
    authority = trust.certificate_of(service.grpc)
    return grpc.aio.secure_channel(str(address), grpc.ssl_channel_credentials(authority), options=_OPTIONS)


def by(token: str) -> dict[str, Any]:
    """Return the arguments of a call that carries ``token``."""
    return {"metadata": (("authorization", f"Bearer {token}"),), "timeout": _SECONDS}
