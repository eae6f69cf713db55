"""The program's way to the Kubernetes API: by TLS, with the files that are mounted into its pod."""

import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from cluster_secrets.cluster import NotDone, connected
from tests.support.certificates import Authority

KUBE, SERVER = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("kube", "kube-apiserver"))


class _Api(http.server.BaseHTTPRequestHandler):
    """Answers one path to whoever has the token."""

    def do_GET(self) -> None:
        known = self.headers["Authorization"] == "Bearer the-token"
        there = self.path == "/api/v1/namespaces/shop/secrets/demo-ca"
        body = b'{"metadata": {"name": "demo-ca"}}' if known and there else b'{"message": "no such secret"}'
        self.send_response((200 if there else 404) if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """The files of a pod's account, with an authority that does not say what its key is for."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    begun, end = now - timedelta(days=1), now + timedelta(days=1)
    own = x509.BasicConstraints(ca=True, path_length=None)
    authority = x509.CertificateBuilder(KUBE, KUBE, key.public_key(), 1, begun, end).add_extension(own, critical=True)
    at = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    server = x509.CertificateBuilder(KUBE, SERVER, key.public_key(), 2, begun, end).add_extension(at, critical=False)
    (tmp_path / "ca.crt").write_bytes(authority.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "server.pem").write_bytes(private + server.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (tmp_path / "token").write_text("the-token\n")
    (tmp_path / "namespace").write_text("shop")
    return tmp_path


@pytest.fixture
def api(mounted: Path) -> Iterator[str]:
    """Where a server speaks TLS with a certificate of that authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(mounted / "server.pem")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Api)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_cluster_s_authority_is_believed_as_it_is_and_the_pod_s_token_shown(mounted: Path, api: str) -> None:
    with connected(api, mounted) as cluster:
        assert cluster.secret("demo-ca") == {"metadata": {"name": "demo-ca"}}
        assert cluster.secret("another") is None


def test_another_authority_is_not_believed(mounted: Path, api: str) -> None:
    (mounted / "ca.crt").write_bytes(Authority("somebody").certificate)
    with (
        connected(api, mounted) as cluster,
        pytest.raises(NotDone, match=r"does not answer.*CERTIFICATE_VERIFY_FAILED"),
    ):
        cluster.secret("demo-ca")


def test_a_refusal_is_told_in_the_api_s_own_words(mounted: Path, api: str) -> None:
    (mounted / "token").write_text("another")
    with connected(api, mounted) as cluster, pytest.raises(NotDone, match="secrets/demo-ca: 401, no such secret"):
        cluster.secret("demo-ca")
