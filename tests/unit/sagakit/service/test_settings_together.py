"""Settings that are good alone and contradict each other: refused at the start, with the name of the one to mend."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime.settings import read
from sagakit.service.settings import ServiceSettings

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "SCHEMA_REGISTRY_URL": "https://registry:8081",
    "DATABASE_URL": "postgresql://user:geheim@db:5432/order_svc",
}
PAIR = {"GRPC_TLS_CERTIFICATE": "cert.pem", "GRPC_TLS_KEY": "key.pem"}
KAFKA_PAIR = {"KAFKA_SSL_CERTIFICATE_LOCATION": "cert.pem", "KAFKA_SSL_KEY_LOCATION": "key.pem"}
REGISTRY_PAIR = {"SCHEMA_REGISTRY_CERTIFICATE_LOCATION": "cert.pem", "SCHEMA_REGISTRY_KEY_LOCATION": "key.pem"}
SASL = {"KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USERNAME": "ann", "KAFKA_SASL_PASSWORD": "geheim"}
OAUTH = SASL | {
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "KAFKA_SASL_TOKEN_URL": "https://issuer/token",
}

Read = Callable[..., list[str]]


def write_pair(certificate: Path, key: Path) -> None:
    """Write a key, and a certificate for it that it has signed itself."""
    made, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shop")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, made.public_key(), x509.random_serial_number(), now, now)
    certificate.write_bytes(builder.sign(made, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    key.write_bytes(pem(made, serialization.NoEncryption()))


def pem(key: ec.EllipticCurvePrivateKey, locked: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    write_pair(folder / "cert.pem", folder / "key.pem")
    write_pair(folder / "other.pem", folder / "other-key.pem")
    (folder / "chain.pem").write_bytes((folder / "cert.pem").read_bytes() + (folder / "other.pem").read_bytes())
    (folder / "both.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    (folder / "noise.pem").write_bytes(b"\x00\xff not PEM")
    (folder / "empty.pem").touch()
    locked = serialization.BestAvailableEncryption(b"geheim")
    (folder / "locked.pem").write_bytes(pem(ec.generate_private_key(ec.SECP256R1()), locked))
    (folder / "folder").mkdir()
    return folder


@pytest.fixture
def lines_of(made: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Read:
    """Read the settings with some more of them set; return the lines of error, none where all is well."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(made)

    def lines(variables: dict[str, str], kind: type[KafkaSettings | RegistrySettings] = ServiceSettings) -> list[str]:
        for name, value in {**GOOD, **variables}.items():
            monkeypatch.setenv(name, value)
        try:
            read(kind)
        except SystemExit:
            return capsys.readouterr().err.splitlines()
        return []

    return lines


@pytest.mark.parametrize(
    "variables",
    [
        {},
        PAIR,
        PAIR | {"GRPC_TLS_CLIENT_CA": "other.pem"},
        PAIR | {"GRPC_TLS_CLIENT_CA": "other.pem", "GRPC_TLS_CLIENT_NAMES": "console.shop, spiffe://shop/order"},
        PAIR | {"GRPC_TLS_CERTIFICATE": "chain.pem"},
        {"GRPC_TLS_CERTIFICATE": "both.pem", "GRPC_TLS_KEY": "both.pem"},
        {"GRPC_TLS_CERTIFICATE": "", "GRPC_TLS_KEY": ""},
        SASL | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
        SASL | KAFKA_PAIR | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SSL_CA_LOCATION": "folder"},
        KAFKA_PAIR | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "chain.pem"},
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        OAUTH,
        OAUTH | {"KAFKA_SASL_TOKEN_SCOPE": "kafka", "KAFKA_SASL_TOKEN_CA_LOCATION": "chain.pem"},
        OAUTH | {"KAFKA_SASL_TOKEN_URL": "http://127.0.0.1:8180/token"},
        {"SCHEMA_REGISTRY_USERNAME": "ann", "SCHEMA_REGISTRY_PASSWORD": "geheim"},
        REGISTRY_PAIR,
        {"METRICS_TLS_CERTIFICATE": "cert.pem", "METRICS_TLS_KEY": "key.pem", "METRICS_TLS_CLIENT_CA": "other.pem"},
        REGISTRY_PAIR | {"SCHEMA_REGISTRY_CA_LOCATION": "chain.pem"},
        {"SCHEMA_REGISTRY_CA_LOCATION": "chain.pem"},
    ],
)
def test_what_is_whole_is_taken(lines_of: Read, variables: dict[str, str]) -> None:
    assert lines_of(variables) == []


OVER_TLS = {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
MISSING = [
    ({"GRPC_TLS_CERTIFICATE": "cert.pem"}, "GRPC_TLS_KEY"),
    ({"GRPC_TLS_KEY": "key.pem"}, "GRPC_TLS_CERTIFICATE"),
    ({"GRPC_TLS_CLIENT_CA": "cert.pem"}, "GRPC_TLS_CERTIFICATE, GRPC_TLS_KEY"),
    ({"GRPC_TLS_CLIENT_CA": "cert.pem", "GRPC_TLS_KEY": "key.pem"}, "GRPC_TLS_CERTIFICATE"),
    ({"GRPC_TLS_CLIENT_NAMES": "a.shop"}, "GRPC_TLS_CERTIFICATE, GRPC_TLS_CLIENT_CA, GRPC_TLS_KEY"),
    (PAIR | {"GRPC_TLS_CLIENT_NAMES": "a.shop"}, "GRPC_TLS_CLIENT_CA"),
    ({"METRICS_TLS_CERTIFICATE": "cert.pem"}, "METRICS_TLS_KEY"),
    ({"METRICS_TLS_KEY": "key.pem"}, "METRICS_TLS_CERTIFICATE"),
    ({"METRICS_TLS_CLIENT_CA": "cert.pem"}, "METRICS_TLS_CERTIFICATE, METRICS_TLS_KEY"),
    *(({name: SASL[name] for name in SASL if name != left} | OVER_TLS, left) for left in SASL),
    ({"KAFKA_SASL_USERNAME": "ann"} | OVER_TLS, "KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD"),
    ({"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}, "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    (OVER_TLS, "KAFKA_SASL_MECHANISM, KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD"),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_LOCATION": "key.pem"}, "KAFKA_SSL_CERTIFICATE_LOCATION"),
    ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CERTIFICATE_LOCATION": "cert.pem"}, "KAFKA_SSL_KEY_LOCATION"),
    ({name: OAUTH[name] for name in OAUTH if name != "KAFKA_SASL_TOKEN_URL"}, "KAFKA_SASL_TOKEN_URL"),
    ({"SCHEMA_REGISTRY_USERNAME": "ann"}, "SCHEMA_REGISTRY_PASSWORD"),
    ({"SCHEMA_REGISTRY_PASSWORD": "geheim"}, "SCHEMA_REGISTRY_USERNAME"),
    ({"SCHEMA_REGISTRY_CERTIFICATE_LOCATION": "cert.pem"}, "SCHEMA_REGISTRY_KEY_LOCATION"),
    ({"SCHEMA_REGISTRY_KEY_LOCATION": "key.pem"}, "SCHEMA_REGISTRY_CERTIFICATE_LOCATION"),
]  # fmt: skip


@pytest.mark.parametrize(("variables", "missing"), MISSING)
def test_half_of_what_belongs_together_is_refused_by_the_name_of_the_other_half(
    lines_of: Read, variables: dict[str, str], missing: str
) -> None:
    (line,) = lines_of(variables)
    assert line.startswith(f"{missing}: must be set")
    assert "geheim" not in line


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (SASL, "KAFKA_SECURITY_PROTOCOL: must be SASL_PLAINTEXT or SASL_SSL, where KAFKA_SASL_MECHANISM and "),
        (SASL | {"KAFKA_SECURITY_PROTOCOL": "SSL"}, "KAFKA_SECURITY_PROTOCOL: must be SASL_PLAINTEXT or SASL_SSL, "),
        ({"KAFKA_SSL_CA_LOCATION": "cert.pem"}, "KAFKA_SECURITY_PROTOCOL: must be SSL or SASL_SSL, where KAFKA_SSL_CA"),
        (KAFKA_PAIR, "KAFKA_SECURITY_PROTOCOL: must be SSL or SASL_SSL, where KAFKA_SSL_CERTIFICATE_LOCATION and "),
        (
            OAUTH | {"KAFKA_SASL_TOKEN_URL": "http://issuer/token"},
            "KAFKA_SASL_TOKEN_URL: must begin with https://, because the password is sent there",
        ),
        *(
            (OAUTH | {"KAFKA_SASL_TOKEN_URL": url}, "KAFKA_SASL_TOKEN_URL: must begin with https://, because the pass")
            for url in (r"https://issuer\@evil/token", "https://ann@issuer/token", "https://issuer/to\x1bken")
        ),
        (
            {"SCHEMA_REGISTRY_URL": "http://registry", "SCHEMA_REGISTRY_CA_LOCATION": "cert.pem"},
            "SCHEMA_REGISTRY_URL: must begin with https:, where SCHEMA_REGISTRY_CA_LOCATION is set",
        ),
        (
            {"SCHEMA_REGISTRY_URL": "https://one,http://two"} | REGISTRY_PAIR,
            "SCHEMA_REGISTRY_URL: must begin with https:, where SCHEMA_REGISTRY_CERTIFICATE_LOCATION and SCHEMA_REG",
        ),
    ],
)
def test_what_would_go_over_the_wire_in_the_clear_after_all_is_refused(
    lines_of: Read, variables: dict[str, str], line: str
) -> None:
    (only,) = lines_of(variables)
    assert only.startswith(line)


@pytest.mark.parametrize(
    ("variables", "line"),
    [
        (
            PAIR | {"GRPC_TLS_KEY": "other-key.pem"},
            "GRPC_TLS_KEY: is not the key of the first certificate in GRPC_TLS_",
        ),
        (PAIR | {"GRPC_TLS_KEY": "nowhere.pem"}, "GRPC_TLS_KEY: cannot be read: No such file or directory (it is 'now"),
        (
            PAIR | {"GRPC_TLS_CERTIFICATE": "no.pem"},
            "GRPC_TLS_CERTIFICATE: cannot be read: No such file or directory (",
        ),
        (PAIR | {"GRPC_TLS_CERTIFICATE": "folder"}, "GRPC_TLS_CERTIFICATE: cannot be read: Is a directory (it is 'fol"),
        (PAIR | {"GRPC_TLS_CERTIFICATE": "noise.pem"}, "GRPC_TLS_CERTIFICATE: holds no certificate in PEM form (it is"),
        (PAIR | {"GRPC_TLS_CERTIFICATE": "key.pem"}, "GRPC_TLS_CERTIFICATE: holds no certificate in PEM form (it is"),
        (PAIR | {"GRPC_TLS_KEY": "empty.pem"}, "GRPC_TLS_KEY: holds no private key in PEM form (it is 'empty.pem')"),
        (PAIR | {"GRPC_TLS_KEY": "cert.pem"}, "GRPC_TLS_KEY: holds no private key in PEM form (it is 'cert.pem')"),
        (PAIR | {"GRPC_TLS_KEY": "locked.pem"}, "GRPC_TLS_KEY: is locked by a passphrase, for which nobody can be ask"),
        (PAIR | {"GRPC_TLS_CLIENT_CA": "empty.pem"}, "GRPC_TLS_CLIENT_CA: holds no certificate in PEM form (it is 'em"),
        (
            KAFKA_PAIR | {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_KEY_LOCATION": "other-key.pem"},
            "KAFKA_SSL_KEY_LOCATION: is not the key of the first certificate in KAFKA_SSL_CERTIFICATE_LOCATION (it is",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_SSL_CA_LOCATION": "nowhere.pem"},
            "KAFKA_SSL_CA_LOCATION: cannot be read: No such file or directory (it is 'nowhere.pem')",
        ),
        ({"SCHEMA_REGISTRY_CA_LOCATION": "key.pem"}, "SCHEMA_REGISTRY_CA_LOCATION: holds no certificate in PEM form"),
        (
            REGISTRY_PAIR | {"SCHEMA_REGISTRY_KEY_LOCATION": "other-key.pem"},
            "SCHEMA_REGISTRY_KEY_LOCATION: is not the key of the first certificate in SCHEMA_REGISTRY_CERTIFICATE_LOC",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_reported_before_anything_starts(
    lines_of: Read, variables: dict[str, str], line: str
) -> None:
    (only,) = lines_of(variables)
    assert only.startswith(line)


def test_a_token_that_no_login_would_use_is_refused(lines_of: Read) -> None:
    (line,) = lines_of(OAUTH | {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-512"})
    assert line.startswith("KAFKA_SASL_MECHANISM: must be OAUTHBEARER, where KAFKA_SASL_TOKEN_URL is set (it is 'SCRAM")


def test_all_contradictions_are_reported_at_once(lines_of: Read) -> None:
    lines = lines_of({"GRPC_TLS_KEY": "nowhere.pem", "KAFKA_SASL_USERNAME": "ann", "SCHEMA_REGISTRY_USERNAME": "ann"})
    assert [line.partition(":")[0] for line in lines] == [
        "SCHEMA_REGISTRY_PASSWORD",
        "KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD",
        "KAFKA_SECURITY_PROTOCOL",
        "GRPC_TLS_CERTIFICATE",
    ]


def test_whoever_reads_only_kafka_s_settings_gets_the_same_lines(lines_of: Read) -> None:
    assert lines_of({"KAFKA_SASL_USERNAME": "ann", "KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, KafkaSettings) == [
        "KAFKA_SASL_MECHANISM, KAFKA_SASL_PASSWORD: must be set too, where KAFKA_SASL_USERNAME is"
    ]
