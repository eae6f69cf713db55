"""Where metrics are served on a system that has no IPv6."""

import errno

import pytest

from sagakit.runtime import metrics
from sagakit.runtime.settings import Listen

NO_IPV6 = OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were tried, on a system that knows IPv4 alone."""
    tried: list[str] = []

    def serve(_: int, host: str) -> None:
        tried.append(host)
        if ":" in host:
            raise NO_IPV6

    monkeypatch.setattr(metrics, "start_http_server", serve)
    return tried


def test_every_address_is_every_address_of_ipv4_where_there_is_no_ipv6(asked: list[str]) -> None:
    metrics.serve(Listen("::", 9101))
    assert asked == ["::", "0.0.0.0"]  # noqa: S104 - it is what was asked for


def test_one_address_of_ipv6_is_not_exchanged_for_another(asked: list[str]) -> None:
    with pytest.raises(OSError, match="Address family not supported"):
        metrics.serve(Listen("::1", 9101))
    assert asked == ["::1"]
