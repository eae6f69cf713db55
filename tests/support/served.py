"""A gRPC server in this process, for what only needs somebody to answer."""

import socket
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import grpc
from ordersaga.order.v1 import order_pb2_grpc

from devstack.ports import free_port
from sagakit.runtime.settings import Listen


def has_ipv6() -> bool:
    """Say whether this machine has IPv6's loopback; some containers have not."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


@contextmanager
def served(
    orders: order_pb2_grpc.OrderServiceServicer,
    options: Sequence[tuple[str, int]] = (),
    credentials: grpc.ServerCredentials | None = None,
) -> Iterator[str]:
    """Serve ``orders`` on a free port, with gRPC's ``options``; yield the address, host:port."""
    server = grpc.server(ThreadPoolExecutor(8), options=options)
    order_pb2_grpc.add_OrderServiceServicer_to_server(orders, server)
    address = "127.0.0.1:0"
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(0).wait()


def free_address() -> Listen:
    """Return an address on which nothing listens."""
    return Listen("127.0.0.1", free_port())
