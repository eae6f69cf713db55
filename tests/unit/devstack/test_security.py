"""What closes a stack: certificates, passwords, and what the state file and the command line know of them."""

import asyncio
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from devstack import certificates
from devstack.certificates import Authority, Pair
from devstack.errors import DevstackError
from devstack.layout import Layout
from devstack.secrets import Secret, write_private
from devstack.security import PRINCIPALS, Security
from devstack.services import NAMES
from devstack.stack import Stack
from devstack.state import State
from sagakit.rpc.caller_settings import CallerSettings

SLEEP = ("-c", "import time; time.sleep(60)")


def read(file: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(file.read_bytes())


def is_private(file: Path) -> bool:
    return stat.S_IMODE(file.stat().st_mode) == 0o600


def files(pair: Pair) -> list[bytes]:
    return [file.read_bytes() for file in pair]


def test_a_certificate_is_good_for_its_name_and_for_this_machine(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("kafka")
    certificate = read(pair.certificate)
    certificate.verify_directly_issued_by(read(authority.certificate))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["kafka", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [IPv4Address("127.0.0.1")]
    assert load_pem_private_key(pair.key.read_bytes(), None).public_key() == certificate.public_key()


def test_nobody_else_reads_a_key_and_no_certificate_signs_others_but_the_authority(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("kafka")
    assert all(is_private(key) for key in tmp_path.glob("*.key"))
    signs = [
        read(one).extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        for one in (pair.certificate, authority.certificate)
    ]
    assert signs == [False, True]


def test_a_certificate_is_kept_until_it_is_about_to_expire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = files(Authority(tmp_path).issue("kafka"))
    assert files(Authority(tmp_path).issue("kafka")) == first
    monkeypatch.setattr(certificates, "_LEFT", timedelta(days=400))
    assert files(Authority(tmp_path).issue("kafka")) != first


def test_without_its_authority_a_certificate_is_made_anew(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    first = files(authority.issue("kafka"))
    authority.certificate.unlink()
    pair = authority.issue("kafka")
    assert files(pair) != first
    read(pair.certificate).verify_directly_issued_by(read(authority.certificate))


def test_a_certificate_lasts_a_year_and_the_authority_longer(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair, now = authority.issue("kafka"), datetime.now(UTC)
    left = [(read(one).not_valid_after_utc - now).days for one in (pair.certificate, authority.certificate)]
    assert left == [396, 3649]


def test_each_login_has_a_password_of_its_own_that_stays(tmp_path: Path) -> None:
    secret = Secret(tmp_path / "secret")
    passwords = {secret.of(login) for login in PRINCIPALS} | {secret.text()}
    assert len(passwords) == len(PRINCIPALS) + 1
    assert Secret(tmp_path / "secret").of("order_svc") == secret.of("order_svc")
    assert Secret(tmp_path / "another").of("order_svc") != secret.of("order_svc")
    assert is_private(secret.file)


def test_what_is_written_privately_was_never_to_be_read_by_others(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    file.chmod(0o644)
    write_private(file, "geheim")
    assert (file.read_text(), is_private(file)) == ("geheim", True)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout.fresh(tmp_path, secure=True)


def test_the_state_file_says_whether_a_stack_is_closed_and_where_its_things_are(layout: Layout) -> None:
    state = State(layout.data / "state.json")
    security = Security(layout, state)
    assert not security.on
    assert not security.settings("order_svc")
    assert not security.service_settings("order_svc")
    security.begin()
    assert Security(layout, State(layout.data / "state.json")).on
    record = state.as_dict()["security"]
    assert set(record) == {"ca", "user_token", "operator_token", "operators", "replay"}
    assert all(Path(file).is_file() for file in record.values())
    security.end()
    assert "security" not in State(layout.data / "state.json").as_dict()


def test_the_tokens_are_taken_by_what_the_services_are_told(layout: Layout) -> None:
    security = Security(layout, State(layout.data / "state.json"))
    security.begin()
    record = State(layout.data / "state.json").as_dict()["security"]
    told = {name.lower(): value for name, value in security.service_settings("order_svc").items()}
    tokens = CallerSettings.model_validate(told).tokens()
    assert tokens is not None
    shown = {name: Path(record[name]) for name in ("user_token", "operator_token")}
    user, operator = (asyncio.run(tokens.verified(file.read_text())) for file in shown.values())
    assert (user.subject, operator.subject) == ("1", "operator")
    assert user.scopes == {"orders:read", "orders:write", "products:read"}
    assert operator.scopes > user.scopes | {"orders:any", "sagas:operate", "products:write", "deliveries:read"}
    assert all(map(is_private, shown.values()))


def test_a_service_s_settings_have_its_own_login_and_certificate(layout: Layout) -> None:
    security = Security(layout, State(layout.data / "state.json"))
    security.begin()
    given = [security.service_settings(name) for name in NAMES]
    assert [one["KAFKA_SASL_USERNAME"] for one in given] == list(NAMES)
    assert [one["SCHEMA_REGISTRY_USERNAME"] for one in given] == list(NAMES)
    assert {one["KAFKA_SECURITY_PROTOCOL"] for one in given} == {"SASL_SSL"}
    for what in ("KAFKA_SASL_PASSWORD", "GRPC_TLS_CERTIFICATE", "GRPC_TLS_KEY"):
        assert len({one[what] for one in given}) == len(NAMES)


@pytest.fixture
def running(layout: Layout) -> Iterator[Stack]:
    """An open stack whose order_svc is a process that does nothing."""
    stack = Stack(layout)
    stack.service("order_svc").launch("dsn", "kafka", "registry", program=SLEEP)
    yield stack
    Stack.fresh(stack.folder).purge()  # a test that fails may have started everything


def test_a_stack_that_runs_open_is_not_closed_half(running: Stack) -> None:
    with pytest.raises(DevstackError, match="runs without SECURE=1; make down stops it"):
        running.up()
    assert not running.security.on


@pytest.mark.parametrize("name", ["passwords", "ca.pem", "ca.key"])
@pytest.mark.parametrize("again", [Stack.up, lambda stack: stack.restart(["order_svc"])], ids=["up", "restart"])
def test_what_a_running_closed_stack_goes_by_is_not_made_anew_under_it(
    running: Stack, name: str, again: Callable[[Stack], None]
) -> None:
    running.security.begin()
    stack = Stack.fresh(running.folder, secure=True)
    before = stack.service("order_svc").pid
    (stack.folder / "security" / name).unlink()
    with pytest.raises(DevstackError, match=rf"security/{name} is gone, .*: make down first, then make up SECURE=1"):
        again(stack)
    assert not (stack.folder / "security" / name).exists()
    assert stack.service("order_svc").pid == before


def test_a_server_of_somebody_else_s_is_not_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECURE", "1")
    monkeypatch.setenv("DEVSTACK_DATA", str(tmp_path))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    with pytest.raises(DevstackError, match="closes the stack's own servers, and kafka is somebody else's"):
        Stack(Layout.from_environment()).up()
