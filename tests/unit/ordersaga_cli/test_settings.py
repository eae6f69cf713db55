"""Security settings of the command line: half of what belongs together is refused, and a failed handshake explained."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from tests.support.certificates import Authority, Pair
from tests.unit.ordersaga_cli.line import at, typed

OURS, FOREIGN = Authority("ours"), Authority("foreign")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    OURS.sign("console.shop").write(tmp_path)
    FOREIGN.sign("console.shop").write(tmp_path, "foreign")
    (tmp_path / "ca.crt").write_bytes(OURS.certificate)
    (tmp_path / "foreign-ca.crt").write_bytes(FOREIGN.certificate)
    monkeypatch.chdir(tmp_path)
    return tmp_path


CA = {"GRPC_TLS_CA": "ca.crt"}
PAIR = {"GRPC_TLS_CERTIFICATE": "tls.crt", "GRPC_TLS_KEY": "tls.key"}
REFUSED = {
    "a certificate alone": (
        {"GRPC_TLS_CERTIFICATE": "tls.crt"},
        "GRPC_TLS_CA, GRPC_TLS_KEY: must be set too, where GRPC_TLS_CERTIFICATE is",
    ),
    "a key alone": (CA | {"GRPC_TLS_KEY": "tls.key"}, "GRPC_TLS_CERTIFICATE: must be set too, where GRPC_TLS_KEY is"),
    "a pair without the authority": (
        PAIR,
        "GRPC_TLS_CA: must be set too, where GRPC_TLS_CERTIFICATE and GRPC_TLS_KEY are",
    ),
    "another's key": (
        CA | PAIR | {"GRPC_TLS_KEY": "foreign.key"},
        "GRPC_TLS_KEY: is not the key of the first certificate in GRPC_TLS_CERTIFICATE (it is 'foreign.key')",
    ),
    "no file": ({"GRPC_TLS_CA": "no.crt"}, "GRPC_TLS_CA: cannot be read: No such file or directory (it is 'no.crt')"),
    "a key for a certificate": ({"GRPC_TLS_CA": "tls.key"}, "GRPC_TLS_CA: holds no certificate in PEM form"),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("case", REFUSED)
def test_half_a_setting_is_refused_before_anything_is_sent(case: str) -> None:
    variables, line = REFUSED[case]
    result = typed("order get 1", at("127.0.0.1:9") | variables)
    assert result.code == 1
    assert result.err.startswith(f"ordersaga: {line}")


@pytest.mark.parametrize(
    ("line", "variables", "said"),
    [
        (
            "topics --kafka-bootstrap-servers 127.0.0.1:9",
            {"KAFKA_SASL_USERNAME": "ann", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
            "KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD: must be set too, where KAFKA_SASL_USERNAME is",
        ),
        (
            "schemas check . --schema-registry-url http://127.0.0.1:9",
            {"SCHEMA_REGISTRY_USERNAME": "ann"},
            "SCHEMA_REGISTRY_PASSWORD: must be set too, where SCHEMA_REGISTRY_USERNAME is",
        ),
    ],
)
def test_so_is_half_a_setting_of_kafka_or_the_registry(line: str, variables: dict[str, str], said: str) -> None:
    result = typed(line, variables)
    assert (result.code, result.err) == (1, f"ordersaga: {said}\n")


@contextmanager
def listening(own: Pair | None, *, mutual: bool = False) -> Iterator[str]:
    """Run a server without any method; yield its address."""
    server = grpc.server(ThreadPoolExecutor(1))
    if own:
        credentials = grpc.ssl_server_credentials(
            [(own.key, own.certificate)], OURS.certificate if mutual else None, require_client_auth=mutual
        )
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


SERVER = OURS.sign("127.0.0.1")
CAUSES = {
    "a foreign authority": (SERVER, False, {"GRPC_TLS_CA": "foreign-ca.crt"}, "its certificate is of no authority in"),
    "another name": (OURS.sign("elsewhere.shop"), False, CA, "its certificate is for another name"),
    "a server in the clear": (None, False, CA, "it does not speak TLS, and GRPC_TLS_CA is set"),
    "a call in the clear": (SERVER, False, {}, "it closes the connection; it may want TLS (GRPC_TLS_CA), or"),
    "no certificate": (SERVER, True, CA, "it closes the connection; it may want TLS (GRPC_TLS_CA), or"),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("case", CAUSES)
def test_a_handshake_that_fails_is_explained(case: str) -> None:
    own, mutual, variables, cause = CAUSES[case]
    with listening(own, mutual=mutual) as address:
        result = typed("order get 1", at(address) | variables)
    assert result.code == 1
    assert result.err.startswith(f"ordersaga: order_svc cannot be reached at {address}: {cause}")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("mutual", "variables"), [(False, CA), (True, CA | PAIR)], ids=["tls", "mutual"])
def test_where_both_agree_the_call_arrives(mutual: bool, variables: dict[str, str]) -> None:
    with listening(SERVER, mutual=mutual) as address:
        result = typed("order get 1", at(address) | variables)
    assert "does not know this call" in result.err
