"""Every port of a closed stack speaks TLS 1.2 and 1.3, and refuses whoever can do no better than 1.1."""

import socket
import ssl
import struct
import warnings
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from devstack.services import NAMES
from devstack.stack import Stack

PARTS = [*NAMES, *(f"{name}'s metrics" for name in NAMES), "kafka", "registry", "postgres"]
REFUSALS = {"TLSV1_ALERT_PROTOCOL_VERSION", "UNEXPECTED_EOF_WHILE_READING"}
"""What a server does that refuses a version: it says so, or, as gRPC's does, hangs up."""
SSL_REQUEST = struct.pack("!ii", 8, 80877103)
"""With which PostgreSQL is asked for TLS."""


def address_of(stack: Stack, part: str) -> tuple[str, int]:
    """Return where ``part`` listens."""
    if part in NAMES:
        address = stack.service(part).grpc
    elif part.endswith("'s metrics"):
        address = stack.service(part.removesuffix("'s metrics")).metrics
    else:
        servers = {"kafka": stack.bootstrap, "postgres": stack.postgres.address}
        address = servers.get(part) or urlsplit(stack.registry_url).netloc
    host, port = address.split(":")
    return host, int(port)


@pytest.fixture(params=PARTS)
def connected(closed_stack: Stack, request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A connection to one port, which waits for the client's first words of TLS."""
    with socket.create_connection(address_of(closed_stack, request.param), timeout=10) as connection:
        if request.param == "postgres":
            connection.sendall(SSL_REQUEST)
            assert connection.recv(1) == b"S"
        yield connection


def at_most(stack: Stack, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return the TLS of a client that knows no newer ``version``, and takes any cipher."""
    context = ssl.create_default_context(cafile=str(stack.security.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.set_alpn_protocols(["h2", "http/1.1", "postgresql"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that old versions are old is the point
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = version
    return context


def test_version_1_1_is_refused(closed_stack: Stack, connected: socket.socket) -> None:
    context = at_most(closed_stack, ssl.TLSVersion.TLSv1_1)
    with pytest.raises(ssl.SSLError) as refused:
        context.wrap_socket(connected, server_hostname="127.0.0.1")
    assert refused.value.reason in REFUSALS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_versions_1_2_and_1_3_are_spoken(
    closed_stack: Stack, connected: socket.socket, version: ssl.TLSVersion
) -> None:
    with at_most(closed_stack, version).wrap_socket(connected, server_hostname="127.0.0.1") as secured:
        assert secured.version() == version.name.replace("_", ".")
