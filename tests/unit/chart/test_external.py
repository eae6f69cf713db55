"""Servers that the chart does not bring are not spoken to in the clear unless the values say so in as many words."""

import pytest
from psycopg.pq import Conninfo

from sagakit.postgres.settings import DatabaseSettings, MigrationSettings
from tests.unit.chart.rendering import SERVICES, containers, objects, pod_specs, template, variables

KAFKA: dict[str, object] = {"kafka.enabled": False, "kafka.external.bootstrapServers": "broker.example:9092"}
WHO = {
    **{service: service.removesuffix("-svc") for service in SERVICES},
    **dict.fromkeys(("wait", "registry"), "registry"),
    **{name: name for name in ("operators", "console")},
    "deploy": "deployer",
}
"""By its container, who logs in to Kafka."""


@pytest.mark.parametrize(
    ("name", "who"), [("kafka", WHO), ("kafka-*", WHO | {"replay": "replay"})], ids=["one", "each"]
)
def test_a_secret_of_kafka_s_settings_has_to_name_the_protocol(name: str, who: dict[str, str]) -> None:
    """Kubelet starts no container whose variable is of a key that is not there."""
    specs = pod_specs(objects(values={**KAFKA, "kafka.external.settingsSecret": name})).values()
    read = {one["name"]: variables(one) for spec in specs for one in containers(spec)}
    protocols = {
        container: found.get("KAFKA_SECURITY_PROTOCOL")
        for container, found in read.items()
        if "KAFKA_BOOTSTRAP_SERVERS" in found
    }
    assert protocols == {
        container: {"secretKeyRef": {"name": name.replace("*", noun), "key": "KAFKA_SECURITY_PROTOCOL"}}
        for container, noun in who.items()
    }


def test_a_kafka_and_a_registry_in_the_clear_are_taken_where_the_values_say_so() -> None:
    in_clear: dict[str, object] = {
        **KAFKA,
        "kafka.external.plaintextAcknowledged": True,
        "registry.enabled": False,
        "registry.external.url": "http://registry.example:8080",
        "registry.external.plaintextAcknowledged": True,
    }
    read = variables(pod_specs(objects(values=in_clear))["demo-order-svc"]["containers"][0])
    assert "KAFKA_SECURITY_PROTOCOL" not in read
    assert read["SCHEMA_REGISTRY_URL"] == "http://registry.example:8080"


def test_an_issuer_of_the_whole_cluster_is_taken_where_no_kafka_believes_it() -> None:
    issuer = {"tls.issuerRef": {"name": "all", "kind": "ClusterIssuer"}}
    made = objects(values={**KAFKA, "kafka.external.settingsSecret": "kafka-*", **issuer})
    assert made["Certificate", "demo-order-issued"]["spec"]["issuerRef"] == issuer["tls.issuerRef"]


DATABASES: dict[str, object] = {"postgres.enabled": False, "serviceDefaults.database.urlSecret": "*-database"}


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize(
    ("address", "mode"), [("", "require"), ("?sslmode=disable", "disable")], ids=["unsaid", "disable"]
)
def test_a_database_is_spoken_to_by_tls_where_its_address_says_nothing_else(
    monkeypatch: pytest.MonkeyPatch, service: str, address: str, mode: str
) -> None:
    """Who migrates and who serves; both take libpq's variables."""
    made = objects(values=DATABASES)
    for container in containers(pod_specs(made)[f"demo-{service}"]):
        given = {name: value for name, value in variables(container).items() if isinstance(value, str)}
        monkeypatch.setenv("DATABASE_URL", f"postgresql://me:secret@db.example/orders{address}")
        monkeypatch.delenv("PGSSLMODE", raising=False)
        for name in given.keys() & {"PGSSLMODE"}:
            monkeypatch.setenv(name, given[name])
        settings = MigrationSettings if container["name"] == "migrate" else DatabaseSettings
        read = settings().database_url.for_libpq()  # type: ignore[call-arg] # from the environment
        used = {one.keyword: one.val for one in (*Conninfo.get_defaults(), *Conninfo.parse(read.encode())) if one.val}
        assert used[b"sslmode"] == mode.encode()


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("kafka.external.bootstrapServers", "kafka"),
        ("kafka.external.settingsSecret", "kafka"),
        ("registry.external.url", "registry"),
        ("registry.external.settingsSecret", "registry"),
        ("serviceDefaults.database.urlSecret", "postgres"),
        ("services.order.database.urlSecret", "postgres"),
    ],
)
def test_what_is_said_of_a_server_outside_is_refused_where_the_chart_brings_that_server(path: str, part: str) -> None:
    value = {"url": "https://registry.example", "bootstrapServers": "broker.example:9092"}
    refused = template(f"--set={path}={value.get(path.rpartition('.')[2], 'a-secret')}")
    assert refused.returncode != 0
    assert f"{path} is for a server outside of the release, and {part}.enabled is true" in refused.stderr
