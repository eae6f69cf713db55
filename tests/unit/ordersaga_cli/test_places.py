"""Where addresses come from: an option, a variable, the running stack, a default, in this order."""

import json
import os
from pathlib import Path

import pytest
from ordersaga.order.v1 import order_pb2

from ordersaga_cli.clients import kafka_client, registry_client
from ordersaga_cli.places import KAFKA, ORCHESTRATOR_SVC, ORDER_SVC, REGISTRY, running, secured
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.services import Services, serving

DEAD = 2**22 + 1
"""A pid that no process can have."""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DEVSTACK_DATA", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))  # where no stack is noted
    return tmp_path / ".devstack" / "state.json"


def write(state: Path, pid: int | None) -> None:
    state.parent.mkdir(exist_ok=True)
    content = {
        "kafka": {"pid": pid, "bootstrap": "127.0.0.1:1"},
        "registry": {"pid": pid, "url": "http://127.0.0.1:2"},
        "services": {"order_svc": {"pid": pid, "grpc": "127.0.0.1:3"}},
    }
    state.write_text(json.dumps(content))


def test_the_stack_that_runs_in_this_folder_is_found(state: Path) -> None:
    write(state, os.getpid())
    found = [running(place) for place in (KAFKA, REGISTRY, ORDER_SVC, ORCHESTRATOR_SVC)]
    assert found == ["127.0.0.1:1", "http://127.0.0.1:2", "127.0.0.1:3", ""]


@pytest.mark.parametrize("pid", [DEAD, None], ids=["dead", "stopped"])
def test_a_stack_that_does_not_run_is_not_taken(state: Path, pid: int | None) -> None:
    write(state, pid)
    assert running(KAFKA) == ""


def test_a_part_that_has_died_is_looked_for_where_it_was_and_not_at_the_default(state: Path) -> None:
    write(state, os.getpid())
    content = json.loads(state.read_text())
    content["services"]["order_svc"]["pid"] = DEAD
    state.write_text(json.dumps(content))
    assert running(ORDER_SVC) == "127.0.0.1:3"


@pytest.mark.parametrize("content", ["", "[]", '{"kafka": 1}', '{"kafka": {"pid": "x"}}'])
def test_a_state_file_that_is_broken_counts_as_none(state: Path, content: str) -> None:
    state.parent.mkdir()
    state.write_text(content)
    assert running(KAFKA) == ""


def give_away(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``file`` be another user's: only root can give one away, anybody else becomes another himself."""
    if os.geteuid() == 0:
        os.chown(file, 12345, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)


@pytest.mark.parametrize("whose", ["another's", "everybody's", "the group's"])
def test_no_token_goes_where_a_state_file_says_that_others_can_write(
    state: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    services = Services(GetOrder=order_pb2.GetOrderResponse())
    with serving(services) as address:
        write(state, os.getpid())
        state.write_text(state.read_text().replace("127.0.0.1:3", address))
        state.chmod({"everybody's": 0o606, "the group's": 0o620}.get(whose, 0o644))
        if whose == "another's":
            give_away(state, monkeypatch)
        here = {"DEVSTACK_DATA": ".devstack", "ORDERSAGA_TOKEN": "secret"}
        refused = typed("order get 42", here)
        named = typed("order get 42", {**here, **at(address)})
    assert (refused.code, refused.out) == (1, "")
    assert refused.err.startswith("ordersaga: .devstack/state.json is not believed: ")
    assert refused.err.endswith("; go to a folder of your own, or name the addresses yourself\n")
    assert (named.code, services.tokens) == (0, ["Bearer secret"])


def test_a_state_file_of_one_s_own_is_believed_though_others_can_read_it(state: Path) -> None:
    write(state, os.getpid())
    state.chmod(0o644)
    assert running(KAFKA) == "127.0.0.1:1"


def test_the_logins_and_the_metrics_of_a_state_file_that_others_can_write_are_not_taken(
    closed: Path, state: Path
) -> None:
    state.chmod(0o666)
    assert secured(KAFKA, "127.0.0.1:1", "operators") is None
    assert closed.exists()
    done = typed("status", {"DEVSTACK_DATA": ".devstack"})
    assert (done.code, "is not believed" in done.err) == (1, True)


def test_the_option_goes_before_the_variable() -> None:
    result = typed("order get 1 --order-svc-address 127.0.0.1:9", at("127.0.0.1:8"))
    assert "order_svc cannot be reached at 127.0.0.1:9;" in result.err


def test_a_service_that_is_away_is_named_with_its_address_and_what_sets_it() -> None:
    result = typed("saga list", at("127.0.0.1:9"))
    assert result.code == 1
    assert result.err == (
        "ordersaga: orchestrator_svc cannot be reached at 127.0.0.1:9; set its address by --orchestrator-svc-address or"
        " ORCHESTRATOR_SVC_ADDRESS, or start everything with `make up`\n"
    )


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("topics", "--kafka-bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS"),
        ("dlq list", "--kafka-bootstrap-servers or KAFKA_BOOTSTRAP_SERVERS"),
        ("schemas check .", "--schema-registry-url or SCHEMA_REGISTRY_URL"),
    ],
)
def test_an_address_without_a_default_has_to_be_set(line: str, option: str) -> None:
    result = typed(line)
    assert result.code == 2
    assert option in result.err


def test_a_bad_setting_is_named() -> None:
    result = typed("topics --kafka-bootstrap-servers 127.0.0.1:9", {"KAFKA_SECURITY_PROTOCOL": "TLS"})
    assert result.code == 1
    assert result.err.startswith("ordersaga: KAFKA_SECURITY_PROTOCOL: ")


@pytest.fixture
def closed(state: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack that runs closed, with a file for each login; return their folder."""
    for name in ("KAFKA_SECURITY_PROTOCOL", "KAFKA_SASL_USERNAME", "SCHEMA_REGISTRY_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    write(state, os.getpid())
    content = json.loads(state.read_text())
    folder = state.parent / "security"
    folder.mkdir()
    content["security"] = {name: str(folder / name) for name in ("ca", "operators", "replay")}
    for login in ("operators", "replay"):
        (folder / login).write_text(
            "KAFKA_SECURITY_PROTOCOL=SASL_SSL\nKAFKA_SASL_MECHANISM=SCRAM-SHA-512\n"
            f"KAFKA_SASL_USERNAME={login}\nKAFKA_SASL_PASSWORD=geheim\n"
            "SCHEMA_REGISTRY_USERNAME=operators\nSCHEMA_REGISTRY_PASSWORD=geheim\n"
        )
    state.write_text(json.dumps(content))
    return folder


def test_a_closed_stack_lends_its_logins_for_its_own_addresses_alone(closed: Path) -> None:
    assert secured(KAFKA, "127.0.0.1:1", "operators") == closed / "operators"
    assert secured(ORDER_SVC, "127.0.0.1:3") == closed / "operators"
    for place, address in ((KAFKA, "broker:9092"), (ORDER_SVC, "127.0.0.1:1"), (ORCHESTRATOR_SVC, "")):
        assert secured(place, address) is None


def test_an_open_stack_lends_none(state: Path) -> None:
    write(state, os.getpid())
    assert secured(KAFKA, "127.0.0.1:1") is None


@pytest.mark.usefixtures("closed")
def test_whoever_looks_and_whoever_replays_log_in_as_somebody_else() -> None:
    found = [kafka_client("127.0.0.1:1", login)["sasl.username"] for login in ("operators", "replay")]
    assert found == ["operators", "replay"]
    assert "sasl.username" not in kafka_client("broker:9092")
    assert registry_client("http://127.0.0.1:2")["basic.auth.user.info"] == "operators:geheim"


@pytest.mark.usefixtures("closed")
def test_the_environment_goes_before_what_the_stack_lends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SASL_USERNAME", "ann")
    assert kafka_client("127.0.0.1:1")["sasl.username"] == "ann"
