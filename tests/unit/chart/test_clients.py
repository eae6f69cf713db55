"""How the chart's parts log in to servers outside: by certificates as files, and the bundled registry and KEDA too."""

import runpy
from pathlib import Path
from typing import Any

import pytest

from sagakit.kafka.settings import KafkaSettings
from tests.unit.chart.finding import Render
from tests.unit.chart.rendering import SERVICES, Objects, containers, objects, pod_specs, template
from tests.unit.chart.running import data_of
from tools.chart_readme import CHART

OUTSIDE: dict[str, object] = {
    "kafka.enabled": False,
    "kafka.external.bootstrapServers": "broker.example:9092",
    "kafka.external.settingsSecret": "kafka-*",
}
CLIENTS = {
    **{service: service.removesuffix("-svc") for service in SERVICES},
    "migrate": "",
    "console": "console",
    "operators": "operators",
    "replay": "replay",
    "deploy": "deployer",
    "wait": "registry",
    "registry": "registry",
}
"""By its container, who shows a certificate; migrations show that of their service."""


def mounted(spec: dict[str, Any], container: dict[str, Any], path: str) -> dict[str, Any] | None:
    """Return the volume that a container has at ``path``."""
    names = [one["name"] for one in container["volumeMounts"] if one["mountPath"] == path]
    volumes = {one["name"]: one for one in spec["volumes"]}
    return volumes[names[0]] if names else None


def test_each_shows_a_certificate_of_its_own_where_the_secret_has_an_asterisk() -> None:
    shown = {}
    for name, spec in pod_specs(objects(values={**OUTSIDE, "tls.clientSecret": "*-client"})).items():
        for container in containers(spec):
            if volume := mounted(spec, container, "/client"):
                secret = volume["secret"]["secretName"].removesuffix("-client")
                if container["name"] == "migrate":
                    assert name == f"demo-{secret}-svc"
                shown[container["name"]] = "" if container["name"] == "migrate" else secret
    assert shown == CLIENTS


def test_where_the_chart_brings_kafka_and_the_registry_only_services_need_a_certificate_to_show() -> None:
    databases = {"postgres.enabled": False, "serviceDefaults.database.urlSecret": "*-database"}
    specs = pod_specs(objects(values={**databases, "tls.clientSecret": "*-client"}))
    waiting = {name for name, spec in specs.items() if any("client" in one["name"] for one in spec["volumes"])}
    assert waiting == {f"demo-{service}" for service in SERVICES}


@pytest.mark.parametrize(
    ("values", "sources"),
    [
        ({"tls.authoritiesSecret": "a"}, [{"secret": {"name": "a"}}]),
        ({"tls.authoritiesConfigMap": "b"}, [{"configMap": {"name": "b"}}]),
        (
            {"tls.authoritiesSecret": "a", "tls.authoritiesConfigMap": "b"},
            [{"configMap": {"name": "b"}}, {"secret": {"name": "a"}}],
        ),
    ],
    ids=["secret", "configmap", "both"],
)
def test_authorities_are_files_whichever_object_holds_them(
    values: dict[str, object], sources: list[dict[str, object]]
) -> None:
    specs = pod_specs(objects(values={**OUTSIDE, **values}))
    for part in ("order-svc", "console", "registry", "operators"):
        spec = specs[f"demo-{part}"]
        for container in containers(spec):
            volume = mounted(spec, container, "/authorities")
            assert volume is not None
            assert volume["projected"]["sources"] == sources, (part, container["name"])


def test_the_registry_is_told_of_kafka_by_a_file_that_the_container_before_it_writes() -> None:
    spec = pod_specs(objects())["demo-registry"]
    wait, registry = containers(spec)
    assert wait["command"][-1] == "/kafka/client.properties"
    read = {one["name"]: one.get("value") for one in registry["env"]}["QUARKUS_CONFIG_LOCATIONS"]
    assert read == "file:/etc/order-saga/closed.properties,file:/kafka/client.properties"
    (first, second) = (mounted(spec, one, "/kafka") for one in (wait, registry))
    assert first == second
    assert first is not None
    assert first["emptyDir"]["medium"] == "Memory", "a key of a client is written there"


def test_another_certificate_of_the_registry_s_rolls_it_as_it_reads_one_at_its_start(render: Render) -> None:
    def annotation(version: str) -> object:
        nouns = {*CLIENTS.values()} - {""}
        there = {f"{what}-{noun}": {"KAFKA_SECURITY_PROTOCOL": ""} for noun in nouns for what in ("kafka", "client")}
        found: Objects = {("Secret", name): {"metadata": {}, "data": data} for name, data in there.items()}
        found["Secret", "client-registry"]["metadata"]["resourceVersion"] = version
        options = [f"--set={name}={value}" for name, value in OUTSIDE.items()]
        made = render(found, *options, "--set=tls.clientSecret=client-*")
        return made["Deployment", "demo-registry"]["spec"]["template"]["metadata"]["annotations"]["order-saga/settings"]

    assert annotation("1") == annotation("1") != annotation("2")


SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


def written(monkeypatch: pytest.MonkeyPatch, folder: Path, given: dict[str, str]) -> dict[str, str]:
    """Return what the registry is told of Kafka where its secret has the variables that are given."""
    for name in KafkaSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in {"KAFKA_BOOTSTRAP_SERVERS": "broker.example:9092", **given}.items():
        monkeypatch.setenv(name, value)
    program = runpy.run_path(str(CHART / "files" / "let_in.py"))
    return dict(program["properties"](KafkaSettings(), folder))  # type: ignore[call-arg] # from the environment


@pytest.mark.parametrize(
    ("mechanism", "module"), [("PLAIN", PLAIN), ("SCRAM-SHA-256", SCRAM), ("SCRAM-SHA-512", SCRAM)]
)
def test_the_registry_logs_in_by_the_mechanism_of_its_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mechanism: str, module: str
) -> None:
    given = {"PROTOCOL": "SASL_PLAINTEXT", "MECHANISM": mechanism, "USERNAME": "registry", "PASSWORD": "not this"}
    variables = {f"KAFKA_{'SECURITY' if name == 'PROTOCOL' else 'SASL'}_{name}": value for name, value in given.items()}
    told = written(monkeypatch, tmp_path, variables)
    assert (told["security.protocol"], told["sasl.mechanism"]) == ("SASL_PLAINTEXT", mechanism)
    assert told["sasl.jaas.config"].startswith(f"{module} required ")
    assert "not this" not in told["sasl.jaas.config"], "it puts in its variable"
    assert "${KAFKA_SASL_PASSWORD}" in told["sasl.jaas.config"]


def test_the_registry_shows_a_certificate_where_its_secret_names_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, client_files: dict[str, str]
) -> None:
    told = written(monkeypatch, tmp_path, {"KAFKA_SECURITY_PROTOCOL": "SSL", **client_files})
    assert told["security.protocol"] == "SSL"
    assert told["ssl.truststore.location"] == client_files["KAFKA_SSL_CA_LOCATION"]
    store = Path(told["ssl.keystore.location"]).read_text()
    assert told["ssl.keystore.type"] == "PEM"
    assert Path(client_files["KAFKA_SSL_KEY_LOCATION"]).read_text() in store
    assert Path(client_files["KAFKA_SSL_CERTIFICATE_LOCATION"]).read_text() in store


def test_a_mechanism_that_the_registry_lacks_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_MECHANISM": "OAUTHBEARER",
        "KAFKA_SASL_USERNAME": "registry",
        "KAFKA_SASL_PASSWORD": "secret",
        "KAFKA_SASL_TOKEN_URL": "https://id.example/token",
    }
    with pytest.raises(SystemExit, match="the chart's registry cannot log in by OAUTHBEARER"):
        written(monkeypatch, tmp_path, token)


@pytest.fixture
def client_files(tmp_path: Path) -> dict[str, str]:
    """A certificate to show, its key and an authority, as the chart itself makes them."""
    made: Objects = objects()
    files = {"CA": "ca.crt", "CERTIFICATE": "tls.crt", "KEY": "tls.key"}
    found = {}
    for what, key in files.items():
        (tmp_path / key).write_bytes(data_of(made, "demo-deployer-tls")[key])
        found[f"KAFKA_SSL_{what}_LOCATION"] = str(tmp_path / key)
    return found


LAG: dict[str, object] = {"services.product.autoscaling": {"by": "lag", "max": 3}, "tls.authoritiesSecret": "company"}
KEDA: dict[str, object] = {"kafka.external.keda": {"sasl": "plaintext", "caKey": "kafka.crt"}}


def test_keda_logs_in_to_an_external_kafka_as_the_operators() -> None:
    found = objects(values={**OUTSIDE, **LAG, **KEDA})
    (trigger,) = found["ScaledObject", "demo-product-svc"]["spec"]["triggers"]
    assert trigger["metadata"]["bootstrapServers"] == "broker.example:9092"
    asked = found["TriggerAuthentication", trigger["authenticationRef"]["name"]]["spec"]["secretTargetRef"]
    assert {one["parameter"]: (one["name"], one["key"]) for one in asked} == {
        **{name: ("demo-keda", name) for name in ("sasl", "tls")},
        "username": ("kafka-operators", "KAFKA_SASL_USERNAME"),
        "password": ("kafka-operators", "KAFKA_SASL_PASSWORD"),
        "ca": ("company", "kafka.crt"),
    }
    assert found["Secret", "demo-keda"]["stringData"] == {"sasl": "plaintext", "tls": "enable"}


def test_keda_believes_an_authority_of_a_configmap() -> None:
    given = {**OUTSIDE, **LAG, **KEDA, "tls.authoritiesSecret": "", "tls.authoritiesConfigMap": "company-ca"}
    asked = objects(values=given)["TriggerAuthentication", "demo-keda"]["spec"]["configMapTargetRef"]
    assert asked == [{"parameter": "ca", "name": "company-ca", "key": "kafka.crt"}]


def test_keda_asks_a_kafka_in_the_clear_without_a_login() -> None:
    given = {**OUTSIDE, **LAG, "kafka.external.settingsSecret": "", "kafka.external.plaintextAcknowledged": True}
    found = objects(values=given)
    (trigger,) = found["ScaledObject", "demo-product-svc"]["spec"]["triggers"]
    assert "authenticationRef" not in trigger
    assert ("TriggerAuthentication", "demo-keda") not in found


def test_an_authority_for_keda_has_to_lie_somewhere() -> None:
    refused = template("--set=kafka.external.keda.caKey=kafka.crt")
    assert refused.returncode != 0
    assert "kafka.external.keda.caKey is a key of tls.authoritiesSecret or tls.authoritiesConfigMap" in refused.stderr
