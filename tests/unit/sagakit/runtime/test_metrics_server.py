"""Where metrics are served on a system that has no IPv6, and how they are by TLS."""

import errno
import socket
import ssl
import threading
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from sagakit.runtime import metrics, metrics_server
from sagakit.runtime.settings import Listen
from sagakit.runtime.tls_files import TlsFile, TlsFiles
from tests.support.certificates import Authority, serial_at
from tests.support.served import free_address
from tests.support.wait import eventually

NO_TLS = TlsFiles(TlsFile("CERTIFICATE", None), TlsFile("KEY", None), TlsFile("CA", None))
NO_IPV6 = OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were tried, on a system that knows IPv4 alone."""
    tried: list[str] = []

    class Server:
        def __init__(self, listen: Listen, _: object) -> None:
            tried.append(listen.host)
            if ":" in listen.host:
                raise NO_IPV6

        def serve_forever(self) -> None:
            """Return at once."""

    monkeypatch.setattr(metrics_server, "_Server", Server)
    return tried


def test_every_address_is_every_address_of_ipv4_where_there_is_no_ipv6(asked: list[str]) -> None:
    metrics_server.serve(Listen("::", 9101), NO_TLS)
    assert asked == ["::", "0.0.0.0"]  # noqa: S104 - it is what was asked for


def test_one_address_of_ipv6_is_not_exchanged_for_another(asked: list[str]) -> None:
    with pytest.raises(OSError, match="Address family not supported"):
        metrics_server.serve(Listen("::1", 9101), NO_TLS)
    assert asked == ["::1"]


OURS, FOREIGN = Authority("ours"), Authority("foreign")


@pytest.fixture
def secured(tmp_path: Path) -> Listen:
    """Where metrics are served by TLS, to readers who have a certificate; its files are in the test's folder."""
    address = free_address()
    OURS.sign("127.0.0.1").write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(OURS.certificate)
    files = [TlsFile(name, str(tmp_path / name)) for name in ("tls.crt", "tls.key", "ca.crt")]
    metrics_server.serve(address, TlsFiles(*files))
    return address


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A reader's certificate and key."""
    pair, path = OURS.sign("prometheus.shop"), tmp_path / "own.pem"
    path.write_bytes(pair.certificate + pair.key)
    return path


def page(address: Listen, believed: Authority, own: Path | None, accept: str = "*/*") -> str:
    context = ssl.create_default_context(cadata=believed.certificate.decode())
    if own:
        context.load_cert_chain(own)
    asked = urllib.request.Request(f"https://{address}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(asked, timeout=5, context=context) as answer:  # noqa: S310 - an HTTPS URL
        return str(answer.read().decode())


def test_metrics_are_read_by_tls(secured: Listen, own: Path) -> None:
    assert "sagakit_ready" in page(secured, OURS, own)


def test_a_reader_without_a_certificate_gets_nothing(secured: Listen) -> None:
    with pytest.raises((ssl.SSLError, OSError)):
        page(secured, OURS, None)


def test_a_reader_refuses_a_foreign_server(secured: Listen, own: Path) -> None:
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        page(secured, FOREIGN, own)


def test_a_renewed_certificate_is_shown_once_it_is_whole(secured: Listen, own: Path, tmp_path: Path) -> None:
    before, renewed = serial_at(secured, OURS, own), OURS.sign("127.0.0.1")
    (tmp_path / "tls.crt").write_bytes(renewed.certificate)
    assert serial_at(secured, OURS, own) == before
    (tmp_path / "tls.key").write_bytes(renewed.key)
    assert serial_at(secured, OURS, own) == renewed.serial


def test_readers_of_a_former_authority_get_nothing(secured: Listen, own: Path, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(FOREIGN.certificate)
    with pytest.raises((ssl.SSLError, OSError)):
        page(secured, OURS, own)


def test_who_says_nothing_keeps_nobody_waiting(secured: Listen, own: Path) -> None:
    with socket.create_connection(secured):
        assert "sagakit_ready" in page(secured, OURS, own)


def dripping(address: Listen, own: Path | None) -> socket.socket:
    """Return a connection by which a question has begun that never ends."""
    connection = socket.create_connection(address, timeout=10)
    if own:
        context = ssl.create_default_context(cadata=OURS.certificate.decode())
        context.load_cert_chain(own)
        connection = context.wrap_socket(connection, server_hostname=address.host)
    connection.sendall(b"GET /metrics HTTP/1.1\r\nX: ")
    return connection


def is_cut_off(connection: socket.socket) -> bool:
    connection.settimeout(0.2)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize("by_tls", [False, True])
def test_a_crowd_that_never_ends_its_questions_takes_bounded_room_and_metrics_are_read(
    secured: Listen, own: Path, by_tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_server, "_MOST_CONNECTIONS", 5)
    address = secured if by_tls else free_address()
    if not by_tls:
        metrics_server.serve(address, NO_TLS)
    before = threading.active_count()
    with ExitStack() as stack:
        crowd = [stack.enter_context(dripping(address, own if by_tls else None)) for _ in range(20)]

        def few_are_left() -> None:
            assert len([one for one in crowd if not is_cut_off(one)]) == 5
            assert threading.active_count() <= before + 5

        eventually(few_are_left, timeout=5)  # before any of them ends by its silence
        if by_tls:
            assert "sagakit_ready" in page(address, OURS, own)
        else:
            with urllib.request.urlopen(f"http://{address}/metrics", timeout=5) as answer:
                assert b"sagakit_ready" in answer.read()


OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def test_openmetrics_with_its_exemplars_is_read_by_tls_by_who_asks_for_it(secured: Listen, own: Path) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    metrics.RPC_SECONDS.labels("Exemplary").observe(0.1, metrics.exemplar(trace))
    asked, usual = page(secured, OURS, own, OPEN_METRICS), page(secured, OURS, own)
    assert asked.endswith("# EOF\n")
    assert f'# {{trace_id="{trace}"}} 0.1' in asked
    assert "# EOF" not in usual
    assert trace not in usual
