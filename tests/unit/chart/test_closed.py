"""Kafka, the registry and PostgreSQL are closed: TLS alone, a login for each part, and a password for each login."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from devstack.kafka_security import CLOSED
from devstack.security import PRINCIPALS
from sagakit.kafka.settings import KafkaSettings
from sagakit.postgres.settings import DatabaseSettings, MigrationSettings
from sagakit.service.deploy import DeploySettings
from tests.unit.chart.rendering import (
    SERVICES,
    Objects,
    containers,
    job,
    objects,
    pod_specs,
    secret_keys,
    template,
    variables,
)
from tests.unit.chart.running import data_of, lay_out, made, step_in

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
PROBED = {"health"}
"""The one port that speaks in the clear: it tells kubelet whether a service is alive and ready, and nothing else."""
SECURED = {"grpc", "metrics", "clients", "controller", "brokers", "new", "postgres", "https", "management", "console"}


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """The chart as it comes."""
    return objects()


def kafka(rendered: Objects) -> dict[str, Any]:
    return variables(pod_specs(rendered)["demo-kafka"]["containers"][0])


def test_no_port_speaks_in_the_clear_but_that_of_the_probes(rendered: Objects) -> None:
    open_ports = {
        port["name"]
        for spec in pod_specs(rendered).values()
        for one in containers(spec)
        for port in one.get("ports", [])
    }
    assert open_ports == PROBED | SECURED
    served = {
        port["targetPort"] for (kind, _), one in rendered.items() if kind == "Service" for port in one["spec"]["ports"]
    }
    assert served <= SECURED
    assert "PLAINTEXT" not in template("--show-only=templates/kafka.yaml").stdout
    registry = rendered["ConfigMap", "demo-registry"]["data"]["closed.properties"].splitlines()
    assert "quarkus.http.insecure-requests=disabled" in registry
    assert "quarkus.management.ssl.certificate.files=/tls/tls.crt" in registry
    hba = rendered["ConfigMap", "demo-postgres"]["data"]["logins.conf"].splitlines()
    assert [line for line in hba if not line.startswith("#")] == [
        "local all all trust",
        "hostssl all all all scram-sha-256",
    ]
    assert "--ssl=on" in pod_specs(rendered)["demo-postgres"]["containers"][0]["args"]


def test_kafka_is_closed_as_the_stack_of_make_up_is(rendered: Objects) -> None:
    """But for where its files and its listeners are."""
    read, elsewhere = kafka(rendered), ("listeners", "advertised.listeners", "location")
    for line in CLOSED.splitlines():
        name, _, value = line.partition("=")
        variable = "KAFKA_" + name.upper().replace("-", "___").replace(".", "_")
        if not name.endswith(elsewhere):
            same = sorted(value.split(",")) == sorted(read[variable].split(","))
            assert same, f"{name} is {read[variable]}"


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_logs_in_as_itself_everywhere(
    monkeypatch: pytest.MonkeyPatch, rendered: Objects, tmp_path: Path, service: str
) -> None:
    spec, name = pod_specs(rendered)[f"demo-{service}"], service.replace("-", "_")
    lay_out(rendered, spec, tmp_path)
    given = step_in(monkeypatch, rendered, spec["containers"][0], tmp_path, KafkaSettings, DatabaseSettings)
    client = KafkaSettings().kafka_client()  # type: ignore[call-arg] # from the environment
    assert (client["security.protocol"], client["sasl.mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert client["sasl.username"] == given["SCHEMA_REGISTRY_USERNAME"] == name
    assert given["DATABASE_URL"].startswith(f"postgresql://{name}_runtime:")
    assert given["DATABASE_URL"].endswith(f"/{name}?sslmode=verify-full&sslrootcert={tmp_path}/tls/ca.crt")
    assert DatabaseSettings().database_url.database == name  # type: ignore[call-arg] # from the environment


@pytest.mark.parametrize("service", SERVICES)
def test_the_owner_of_a_database_migrates_it_for_the_runtime_role_and_does_nothing_else(
    monkeypatch: pytest.MonkeyPatch, rendered: Objects, tmp_path: Path, service: str
) -> None:
    spec, name = pod_specs(rendered)[f"demo-{service}"], service.replace("-", "_")
    lay_out(rendered, spec, tmp_path)
    step_in(monkeypatch, rendered, spec["initContainers"][0], tmp_path)
    settings = MigrationSettings()  # type: ignore[call-arg] # from the environment
    assert settings.database_url.conninfo.startswith(f"postgresql://{name}:")
    assert settings.database_runtime_role == f"{name}_runtime"
    owner = (f"demo-{service.removesuffix('-svc')}-login", "owner")
    has_it = {pod for pod, one in pod_specs(rendered).items() if any(owner in secret_keys(c) for c in containers(one))}
    assert has_it == {f"demo-{service}", "demo-postgres"}
    assert owner not in secret_keys(spec["containers"][0])


def statements(rendered: Objects) -> str:
    """Return what PostgreSQL is told at each start."""
    return str(rendered["ConfigMap", "demo-postgres"]["data"]["databases.sql"])


def test_public_gets_into_no_database_and_an_owner_may_end_its_service_s_sessions(rendered: Objects) -> None:
    for noun in NOUNS:
        assert f"GRANT {noun}_svc_runtime TO {noun}_svc;" in statements(rendered)
    assert "REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC;" in statements(rendered)


def test_a_statement_that_fails_leaves_no_password_in_the_log(rendered: Objects) -> None:
    before, *_ = statements(rendered).partition("PASSWORD")
    assert "SET log_min_error_statement = panic;" in before


_SESSIONS_OF_A_REPLICA = 17


@pytest.mark.parametrize(("most", "replicas"), [(None, 3), (100, 1), (510, 6)])
def test_all_services_together_leave_a_fifth_of_the_sessions_to_others(most: int | None, replicas: int) -> None:
    """However many of them are taken over; and each has enough for its own replicas."""
    rendered = objects(values={} if most is None else {"postgres.maxConnections": most})
    found = re.findall(r"ALTER ROLE (\w+)_svc_runtime CONNECTION LIMIT (\d+) ", statements(rendered))
    limits = {noun: int(limit) for noun, limit in found}
    assert limits.keys() == set(NOUNS)
    (argument,) = (one for one in pod_specs(rendered)["demo-postgres"]["containers"][0]["args"] if "max_conn" in one)
    assert sum(limits.values()) <= int(argument.removeprefix("--max_connections=")) * 4 / 5
    assert min(limits.values()) >= replicas * _SESSIONS_OF_A_REPLICA


def test_what_postgresql_is_told_at_its_start_rolls_it_when_it_is_something_else(rendered: Objects) -> None:
    def told(found: Objects) -> tuple[object, object]:
        template = found["StatefulSet", "demo-postgres"]["spec"]["template"]["metadata"]
        return found["ConfigMap", "demo-postgres"]["data"], template["annotations"]["order-saga/databases"]

    other = told(objects(values={"postgres.maxConnections": 400}))
    assert told(objects()) == told(rendered)
    assert [one == same for one, same in zip(other, told(rendered), strict=True)] == [False, False]


def test_every_password_is_another_one(rendered: Objects) -> None:
    passwords = [
        password for name in made(rendered) if name.endswith("-login") for password in data_of(rendered, name).values()
    ]
    assert len(passwords) == len(set(passwords)) == 4 * len(SERVICES) + 9
    assert all(len(one) == 32 for one in passwords)


OTHERS = {
    "demo-kafka": set(),
    "demo-registry": {("demo-registry-login", "kafka")}
    | {(f"demo-{who}-login", "registry") for who in (*NOUNS, "deployer", "operators", "console")},
    "demo-postgres": {("demo-postgres-login", "superuser")}
    | {(f"demo-{noun}-login", key) for noun in NOUNS for key in ("owner", "database")},
    "demo-operators": {
        ("demo-operators-login", "kafka"),
        ("demo-operators-login", "registry"),
        ("demo-replay-login", "kafka"),
    },
    "demo-console": {
        *(("demo-console-login", key) for key in ("kafka", "registry", "session")),
        ("demo-replay-login", "kafka"),
    },
    **{f"demo-test-{case}": set[tuple[str, str]]() for case in ("completes", "is-undone")},
}


@pytest.mark.parametrize("pod", OTHERS)
def test_a_pod_gets_the_passwords_that_it_needs_and_no_others(rendered: Objects, pod: str) -> None:
    assert set().union(*map(secret_keys, containers(pod_specs(rendered)[pod]))) == OTHERS[pod]


def test_only_the_job_writes_schemas_and_makes_logins_and_it_shows_a_certificate(
    monkeypatch: pytest.MonkeyPatch, rendered: Objects, tmp_path: Path
) -> None:
    spec = job(rendered)
    (container,) = spec["containers"]
    assert container["args"][-2:] == ["--acls", "--logins=/logins"]
    (volume,) = (one["projected"] for one in spec["volumes"] if one["name"] == "logins")
    logins = {item["path"] for source in volume["sources"] for item in source["secret"]["items"]}
    assert logins == {name for name in PRINCIPALS if name != "deployer"}, "who deploys shows a certificate"
    lay_out(rendered, spec, tmp_path)
    step_in(monkeypatch, rendered, container, tmp_path)
    read = DeploySettings()  # type: ignore[call-arg] # from the environment
    assert read.kafka_client()["security.protocol"] == "SSL"
    assert read.schema_registry_username == "deployer"
    roles = rendered["ConfigMap", "demo-registry"]["data"]["closed.properties"]
    assert [line for line in roles.splitlines() if line.endswith("=sr-admin")] == [
        "quarkus.security.users.embedded.roles.deployer=sr-admin"
    ]


def test_given_passwords_are_used_and_none_is_made() -> None:
    given = objects(values={"logins.existingSecrets": "*-passwords"})
    assert not [name for name in made(given) if name.endswith("-login")]
    assert ("order-passwords", "kafka") in secret_keys(pod_specs(given)["demo-order-svc"]["containers"][0])
    assert secret_keys(pod_specs(given)["demo-postgres"]["containers"][0]) >= {("postgres-passwords", "superuser")}


def test_the_scripts_that_the_chart_runs_are_whole(rendered: Objects) -> None:
    """Shell scripts are checked by a shell, which does not run them."""
    scripts = [
        pod_specs(rendered)["demo-kafka"]["containers"][0]["command"][-1],
        job(objects(values={"kafka.nodes": 3}))["initContainers"][0]["command"][-1],
        rendered["ConfigMap", "demo-postgres"]["data"]["alive.sh"],
    ]
    for script in scripts:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
