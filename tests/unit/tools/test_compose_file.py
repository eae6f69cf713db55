"""compose.yaml is what the schema of such files says, and what the rest of the project says; no engine is needed."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from console_svc.settings import ConsoleSettings
from devstack import kafka, postgres
from devstack.console import PORT_VARIABLE
from devstack.layout import MANIFESTS, Layout, grpc_variable, metrics_variable
from ordersaga_cli.places import DELIVERY_SVC, ORCHESTRATOR_SVC, ORDER_SVC, PRODUCT_SVC
from sagakit.postgres.settings import MigrationSettings
from sagakit.runtime.settings import Settings, read
from sagakit.service.deploy import DeploySettings
from sagakit.service.settings import ServiceSettings
from tests.support.compose import DONE, FILE, SERVERS, SERVICES, entrypoint, needs
from tests.support.image import stages
from tools.paths import ROOT

NOUNS = tuple(name.removesuffix("_svc") for name in MANIFESTS)
OURS = tuple(name for name, service in SERVICES.items() if service["image"].startswith("localhost/order-saga/"))
APART = {"log.dirs", "node.id", "process.roles", "controller.listener.names", "controller.quorum.bootstrap.servers"}
"""Kafka's settings that say where it is; all others are the same as in `make up`."""

LINE = {place.variable.lower() for place in (ORDER_SVC, PRODUCT_SVC, DELIVERY_SVC, ORCHESTRATOR_SVC)} | {
    "ordersaga_metrics"
}
"""What the command line in a service's container reads."""


def checked(file: Path) -> subprocess.CompletedProcess[str]:
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def settings_of(name: str) -> type[Settings]:
    """Return the settings that a service of ours reads."""
    if name == "console":
        return ConsoleSettings
    if name == "contracts":
        return DeploySettings
    if name.endswith("-migrate"):
        return MigrationSettings
    module = vars(importlib.import_module(f"{name.replace('-', '_')}.__main__"))
    kinds = [kind for kind in module.values() if isinstance(kind, type) and issubclass(kind, ServiceSettings)]
    return max(kinds, key=lambda kind: len(kind.model_fields))


def test_it_is_what_the_schema_of_compose_files_says() -> None:
    done = checked(ROOT / "compose.yaml")
    assert done.returncode == 0, done.stdout


def test_a_misspelt_key_would_be_noticed(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / "compose.yaml").read_text().replace("healthcheck:", "healthchek:"))
    done = checked(wrong)
    assert done.returncode == 1
    assert "healthchek" in done.stdout


def test_it_starts_each_service_with_its_database_and_the_console() -> None:
    ours = {"contracts", "console", *(f"{noun}-{what}" for noun in NOUNS for what in ("migrate", "svc"))}
    assert set(OURS) == ours
    (loop,) = re.findall(r"for name in (.*); do", SERVICES["databases"]["command"][-1])
    assert loop.split() == [*MANIFESTS]


def test_the_servers_alone_are_a_profile_and_everything_is_what_is_started_without_one() -> None:
    (started,) = re.findall(r"^COMPOSE_PROFILES=(.*)$", (ROOT / ".env").read_text(), re.MULTILINE)
    assert {name for name, service in SERVICES.items() if started in service["profiles"]} == set(SERVICES)
    assert {name for name, service in SERVICES.items() if "servers" in service["profiles"]} == set(SERVERS)


def test_only_this_machine_reaches_it() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert published
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_its_ports_and_the_variables_that_change_them_are_those_of_make_up() -> None:
    for name, manifest in MANIFESTS.items():
        assert SERVICES[name.replace("_", "-")]["ports"] == [
            f"127.0.0.1:${{{grpc_variable(name)}:-{manifest.grpc_port}}}:50051",
            f"127.0.0.1:${{{metrics_variable(name)}:-{manifest.metrics_port}}}:9101",
        ]
    assert SERVICES["console"]["ports"] == [f"127.0.0.1:${{{PORT_VARIABLE}:-8088}}:8088"]
    assert Layout.from_environment().console_port == 8088


@pytest.mark.parametrize("name", OURS)
def test_each_program_is_there_and_takes_its_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    service, kind = SERVICES[name], settings_of(name)
    assert importlib.util.find_spec(
        f"{entrypoint(service)[2]}.__main__" if name != "contracts" else "sagakit.service.deploy"
    )
    variables = service["environment"]
    assert {variable.lower() for variable in variables} <= {*kind.model_fields, *LINE}
    for variable in kind.model_fields:
        monkeypatch.delenv(variable.upper(), raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    read(kind)


@pytest.mark.parametrize("name", OURS)
def test_each_image_is_built_once_by_what_the_dockerfile_has(name: str) -> None:
    image = SERVICES[name]["image"]
    (build,) = [service["build"] for service in SERVICES.values() if service["image"] == image and "build" in service]
    if "target" in build:
        assert build["target"] in stages()
    else:
        assert build["args"]["SERVICE"] in MANIFESTS
    assert (
        ("build" in SERVICES[name]) == (SERVICES[name]["pull_policy"] == "build") == ("healthcheck" in SERVICES[name])
    )


def test_what_ends_by_itself_is_waited_for() -> None:
    """`docker compose up --wait` fails where a container ends that nothing waits for, even well."""
    ends = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert ends == {other for name in SERVICES for other, condition in needs(name).items() if condition == DONE}


def test_no_health_check_starts_more_than_a_shell_and_a_small_program() -> None:
    for name in {name for name, service in SERVICES.items() if "healthcheck" in service}:
        how, program, *_ = SERVICES[name]["healthcheck"]["test"]
        assert (how, program in {"bash", "pg_isready"}) == ("CMD", True), name
        assert re.search(r"java|\.sh\b|python", " ".join(SERVICES[name]["healthcheck"]["test"])) is None, name


def test_kafka_is_set_as_it_is_by_make_up(tmp_path: Path) -> None:
    session = round(Layout(tmp_path).session_seconds * 1000)
    written = kafka._PROPERTIES.format(session=session, heartbeat=session // 4, controller=0, data="")  # noqa: SLF001
    expected = dict(line.split("=", 1) for line in written.splitlines())
    here = {
        name.removeprefix("KAFKA_").lower().replace("_", "."): str(value)
        for name, value in SERVICES["kafka"]["environment"].items()
    }
    assert {name: here.get(name) for name in expected.keys() - APART} == {
        name: value for name, value in expected.items() if name not in APART
    }


def test_postgres_is_set_as_it_is_by_make_up() -> None:
    expected = postgres._SETTINGS  # noqa: SLF001
    assert f"max_connections={expected['max_connections']}" in SERVICES["postgres"]["command"]
    assert SERVICES["postgres"]["environment"]["TZ"] == expected["timezone"]
    assert f"CONNECTION LIMIT {postgres._MOST_SESSIONS} " in SERVICES["databases"]["command"][-1]  # noqa: SLF001


def test_its_servers_are_the_chart_s_and_of_the_versions_that_make_up_downloads() -> None:
    values: dict[str, Any] = yaml.safe_load((ROOT / "helm" / "order-saga" / "values.yaml").read_text())
    assert {name: SERVICES[name]["image"] for name in SERVERS} == {name: values[name]["image"] for name in SERVERS}
    lock = (ROOT / "devstack" / "downloads.lock").read_text()
    assert f"org.apache.kafka:kafka-server:{SERVICES['kafka']['image'].rpartition(':')[2]}:" in lock
    assert f"apicurio-registry-app:{SERVICES['registry']['image'].rpartition(':')[2]}:" in lock


def test_nothing_in_it_is_a_name_that_somebody_else_could_own() -> None:
    assert {image.rpartition("/")[0] for image in (SERVICES[name]["image"] for name in OURS)} == {
        "localhost/order-saga"
    }
    assert FILE["name"] == "order-saga"
