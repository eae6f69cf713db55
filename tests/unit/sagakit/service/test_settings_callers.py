"""Who may call: anyone, where nobody else can reach the service or that is said; else who has a token of an issuer."""

from collections.abc import Callable
from pathlib import Path

import pytest

from sagakit.rpc import local_issuer
from sagakit.rpc.server import RpcServer
from sagakit.runtime.settings import Listen, read
from sagakit.service.settings import ServiceSettings

GOOD = {
    "KAFKA_BOOTSTRAP_SERVERS": "broker:9092",
    "SCHEMA_REGISTRY_URL": "https://registry:8081",
    "DATABASE_URL": "postgresql://user:geheim@db:5432/order_svc",
}
JWT = {
    "AUTH_MODE": "jwt",
    "AUTH_ISSUER": "https://issuer.example",
    "AUTH_AUDIENCE": "the-shop",
    "AUTH_JWKS_URL": "https://issuer.example/keys",
}
Read = Callable[[dict[str, str]], list[str]]


@pytest.fixture
def lines_of(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Read:
    """Read the settings with some more of them set; return the lines of error, none where all is well."""
    for name in ServiceSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def lines(variables: dict[str, str]) -> list[str]:
        for name, value in {**GOOD, **variables}.items():
            monkeypatch.setenv(name, value)
        try:
            read(ServiceSettings)
        except SystemExit:
            return capsys.readouterr().err.splitlines()
        return []

    return lines


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "[::1]", "localhost", "[::ffff:127.0.0.1]"])
def test_on_loopback_callers_need_no_token(lines_of: Read, host: str) -> None:
    assert lines_of({"GRPC_LISTEN": f"{host}:50051"}) == []


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "[::]", "10.0.0.1", "shop.example", "127.0.0.1.example", "[::ffff:10.0.0.1]"],  # noqa: S104 - only read
)
def test_who_listens_to_others_must_ask_for_a_token_or_say_that_anyone_may_call(lines_of: Read, host: str) -> None:
    listen = {"GRPC_LISTEN": f"{host}:50051"}
    (line,) = lines_of(listen)
    assert line.startswith("AUTH_MODE: must be jwt, where GRPC_LISTEN is no loopback address")
    assert "AUTH_NONE_ACKNOWLEDGED must be yes" in line
    assert lines_of({**listen, "AUTH_NONE_ACKNOWLEDGED": "yes"}) == []
    assert lines_of({**listen, **JWT, "AUTH_NONE_ACKNOWLEDGED": "no"}) == []


@pytest.mark.parametrize("value", ["true", "1", "YES", "on"])
def test_only_the_word_itself_opens_a_service(lines_of: Read, value: str) -> None:
    assert lines_of({"GRPC_LISTEN": "[::]:50051", "AUTH_NONE_ACKNOWLEDGED": value}) != []


@pytest.mark.parametrize("name", ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_URL"])
def test_a_part_that_is_missing_is_named(lines_of: Read, name: str) -> None:
    (line,) = lines_of({other: value for other, value in JWT.items() if other != name})
    assert line.split(":")[0].startswith(name)


@pytest.mark.parametrize("name", ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_URL"])
def test_a_part_alone_does_not_leave_the_service_open_without_a_word(lines_of: Read, name: str) -> None:
    assert lines_of({name: JWT[name]}) == [f"AUTH_MODE: must be jwt, where {name} is set (it is 'none')"]


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "issuer.example/keys", "file:///etc/passwd", "https://"])
def test_keys_are_not_taken_from_whoever_answers(lines_of: Read, url: str) -> None:
    (line,) = lines_of({**JWT, "AUTH_JWKS_URL": url})
    assert line.startswith("AUTH_JWKS_URL: must be an https:// address, except on loopback")


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8180/keys?of=shop", "http://[::1]/keys", "https://Issuer.example:8443"]
)
def test_keys_are_taken_from_a_server_that_shows_a_certificate_and_from_loopback(lines_of: Read, url: str) -> None:
    assert lines_of({**JWT, "AUTH_JWKS_URL": url}) == []


@pytest.mark.parametrize(
    "url",
    [
        r"http://evil.example\@127.0.0.1/keys",
        r"http://127.0.0.1\.evil.example/keys",
        "http://evil.example@127.0.0.1/keys",
        "https://ann:geheim@issuer.example/keys",
        "http://127.0.0.1:x@evil.example/keys",
        "http://127.0.0.1\t.evil.example/keys",
        "https://issuer.example/keys\x7f",
        "http://127。0。0。1/keys",
        "http://127.0.0.1:99999/keys",
    ],
    ids=ascii,
)
def test_an_address_that_two_readers_may_read_otherwise_is_refused(lines_of: Read, url: str) -> None:
    (line,) = lines_of({**JWT, "AUTH_JWKS_URL": url})
    assert line.startswith("AUTH_JWKS_URL: must be an https:// address, except on loopback, of ASCII without")
    assert "geheim" not in line


def test_a_file_of_keys_must_be_one(lines_of: Read, tmp_path: Path) -> None:
    file = tmp_path / "jwks.json"
    of_a_file = {**{name: value for name, value in JWT.items() if name != "AUTH_JWKS_URL"}, "AUTH_JWKS_FILE": str(file)}
    (missing,) = lines_of(of_a_file)
    file.write_text("{}")
    (empty,) = lines_of(of_a_file)
    assert missing == f"AUTH_JWKS_FILE: cannot be read: No such file or directory (it is {str(file)!r})"
    assert empty.startswith("AUTH_JWKS_FILE: holds no JWK set")
    file.write_text(local_issuer.published(local_issuer.make_key()))
    assert lines_of(of_a_file) == []
    (both,) = lines_of({**of_a_file, "AUTH_JWKS_URL": JWT["AUTH_JWKS_URL"]})
    assert both.startswith("AUTH_JWKS_URL, AUTH_JWKS_FILE: one of them must be set, and not both")


@pytest.mark.parametrize(
    ("settings", "warning"),
    [
        ({"grpc_listen": Listen("0.0.0.0", 0)}, "callers need no token"),  # noqa: S104 - nothing is served
        ({"grpc_listen": Listen("127.0.0.1", 0)}, ""),
        ({"grpc_listen": Listen("0.0.0.0", 0), "auth_mode": "jwt"}, "callers' tokens travel in clear text"),  # noqa: S104
        ({"grpc_listen": Listen("127.0.0.1", 0), "auth_mode": "jwt"}, ""),
    ],
    ids=str,
)
async def test_each_start_says_how_a_service_is_open(
    capsys: pytest.CaptureFixture[str], settings: dict[str, object], warning: str
) -> None:
    server = RpcServer(ServiceSettings.model_construct(**settings), [])  # type: ignore[arg-type]
    await server.stop(0)
    said = [line for line in capsys.readouterr().out.splitlines() if "warning" in line]
    assert len(said) == bool(warning)
    assert warning in "".join(said)
