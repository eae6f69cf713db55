"""Where the console can be reached, by the address that it is told."""

import socket

import pytest

from console_svc.__main__ import _listening
from sagakit.runtime.settings import Listen


def is_reached(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("dual", [True, False], ids=["both", "no IPv6"])
def test_every_address_is_one_of_ipv4_too(monkeypatch: pytest.MonkeyPatch, *, dual: bool) -> None:
    dual = dual and socket.has_dualstack_ipv6()
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: dual)
    with _listening(Listen("::", 0)) as listening:
        assert is_reached("127.0.0.1", listening.getsockname()[1])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_one_address_is_that_one(host: str) -> None:
    with _listening(Listen(host, 0)) as listening:
        assert listening.getsockname()[0] == "127.0.0.1"
