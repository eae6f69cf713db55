"""Settings: typed, and one line of error for each bad value."""

import pytest

from sagakit.runtime.settings import Listen, read
from sagakit.service.settings import ServiceSettings

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "SCHEMA_REGISTRY_URL": "http://registry:8081",
    "DATABASE_URL": "postgresql://user:geheim@db:5432/order_svc?sslmode=require",
}

SASL = {
    "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
    "KAFKA_SASL_MECHANISM": "PLAIN",
    "KAFKA_SASL_USERNAME": "ann",
    "KAFKA_SASL_PASSWORD": "geheim",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def test_what_is_set_is_read_and_the_rest_has_defaults() -> None:
    settings = read(ServiceSettings)
    assert settings.kafka_client() == {"bootstrap.servers": "broker:9092", "security.protocol": "PLAINTEXT"}
    assert settings.registry_client() == {"url": "http://registry:8081"}
    assert settings.database_url.conninfo == GOOD["DATABASE_URL"]
    assert settings.grpc_listen == Listen("127.0.0.1", 50051)


def test_passwords_reach_the_clients_that_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SASL.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("SCHEMA_REGISTRY_USERNAME", "ann")
    monkeypatch.setenv("SCHEMA_REGISTRY_PASSWORD", "geheim")
    settings = read(ServiceSettings)
    assert settings.kafka_client()["sasl.password"] == "geheim"
    assert settings.registry_client()["basic.auth.user.info"] == "ann:geheim"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GRPC_LISTEN", "50051"),
        ("GRPC_LISTEN", "localhost:70000"),
        ("GRPC_LISTEN", "::1:50051"),
        ("GRPC_LISTEN", "::1"),
        ("GRPC_LISTEN", "[::1]"),
        ("GRPC_LISTEN", "[::1]50051"),
        ("GRPC_LISTEN", "[::1]:"),
        ("GRPC_LISTEN", "[::1:50051"),
        ("GRPC_LISTEN", "::1]:50051"),
        ("GRPC_LISTEN", "[]:50051"),
        ("GRPC_LISTEN", "[[::1]]:50051"),
        ("GRPC_LISTEN", "[127.0.0.1]:50051"),
        ("GRPC_LISTEN", "[localhost]:50051"),
        ("GRPC_LISTEN", "[::12345]:50051"),
        ("GRPC_LISTEN", "[::1]:65536"),
        ("GRPC_LISTEN", "[::1]:-1"),
        ("GRPC_LISTEN", "127.0.0.1:\u0665\u0660"),
        ("GRPC_LISTEN", "127.0.0.1: 50051"),
        ("GRPC_LISTEN", "http://127.0.0.1:50051"),
        ("GRPC_TLS_CLIENT_NAMES", ","),
        ("GRPC_TLS_CLIENT_NAMES", "*.shop"),
        ("GRPC_TLS_CLIENT_NAMES", "console.shop product.shop"),
        ("METRICS_LISTEN", ":9101"),
        ("METRICS_LISTEN", "[::1]:port"),
        ("DATABASE_URL", "mysql://localhost/x"),
        ("DATABASE_URL", "postgresql://localhost"),
        ("SCHEMA_REGISTRY_URL", "registry:8081"),
        ("SCHEMA_REGISTRY_URL", "http://"),
        ("SCHEMA_REGISTRY_URL", "http:// registry"),
        ("SCHEMA_REGISTRY_URL", "http://registry:8081,registry-2:8081"),
        ("KAFKA_BOOTSTRAP_SERVERS", "http://broker:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092;broker-2:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:9092 broker-2:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:port"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:65536"),
        ("KAFKA_BOOTSTRAP_SERVERS", "broker:"),
        ("KAFKA_BOOTSTRAP_SERVERS", "::1:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", "[broker]:9092"),
        ("KAFKA_BOOTSTRAP_SERVERS", ","),
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("CONSUMER_BATCH_SIZE", "0"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_is_reported_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        read(ServiceSettings)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: ")


@pytest.mark.parametrize(
    "brokers",
    ["broker:9092", "a:1, b:2", "a:1,b:2,", "broker", "[::1]:9092", "[2001:db8::1]", "SASL_SSL://b.example:9093"],
)
def test_brokers_are_given_as_kafka_s_clients_take_them(monkeypatch: pytest.MonkeyPatch, brokers: str) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", brokers)
    assert read(ServiceSettings).kafka_client()["bootstrap.servers"] == brokers


@pytest.mark.parametrize("url", ["http://registry", "https://[::1]:8081/apis/ccompat/v7", "http://a:1,http://b:2"])
def test_a_registry_is_named_by_its_url(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", url)
    assert read(ServiceSettings).registry_client()["url"] == url


def test_every_missing_value_has_a_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    with pytest.raises(SystemExit):
        read(ServiceSettings)
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(f"{name}: is not set" for name in GOOD)


@pytest.mark.parametrize("name", ["DATABASE_URL", "SCHEMA_REGISTRY_URL"])
def test_no_password_is_ever_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setenv(name, "mysql://user:geheim@db/x")
    with pytest.raises(SystemExit):
        read(ServiceSettings)
    assert "geheim" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.0.0.1:9101", "127.0.0.1"),
        ("localhost:9101", "localhost"),
        ("my-host.example:9101", "my-host.example"),
        ("0.0.0.0:9101", "0.0.0.0"),  # noqa: S104 - it is only read
        ("[::1]:9101", "::1"),
        ("[::]:9101", "::"),
        ("[::ffff:127.0.0.1]:9101", "::ffff:127.0.0.1"),
        ("[fe80::1%eth0]:9101", "fe80::1%eth0"),
    ],
)
def test_an_address_is_written_as_it_was_read(monkeypatch: pytest.MonkeyPatch, text: str, host: str) -> None:
    monkeypatch.setenv("AUTH_NONE_ACKNOWLEDGED", "yes")
    for name in ("GRPC_LISTEN", "METRICS_LISTEN"):
        monkeypatch.setenv(name, text)
    settings = read(ServiceSettings)
    assert settings.grpc_listen == settings.metrics_listen == Listen(host, 9101)
    assert str(settings.metrics_listen) == text
