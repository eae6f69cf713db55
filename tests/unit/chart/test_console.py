"""The console in the chart: what it is told, and whom it answers."""

from pathlib import Path
from typing import Any

import pytest

from console_svc.settings import ConsoleSettings
from sagakit.tracing import setup
from tests.unit.chart.rendering import PRODUCTION, SERVICES, TOKENS, Objects, objects, pod_specs, variables
from tests.unit.chart.running import lay_out, step_in

OIDC = {"console.oidc.issuer": "https://issuer.example", "console.oidc.clientId": "console"}
PEERS = [{"ipBlock": {"cidr": "10.0.0.0/8"}}]
PUBLIC = {"console.publicUrl": "https://console.shop.example/", "console.callers": PEERS}


def container(rendered: Objects) -> dict[str, Any]:
    """Return the console's container."""
    (found,) = pod_specs(rendered)["demo-console"]["containers"]
    return dict(found)


@pytest.mark.parametrize("values", [{}, TOKENS, {**TOKENS, **OIDC, **PUBLIC}], ids=["none", "jwt", "oidc"])
def test_the_console_takes_the_settings_that_it_gets(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, values: dict[str, object]
) -> None:
    rendered = objects(values=values)
    lay_out(rendered, pod_specs(rendered)["demo-console"], tmp_path)
    step_in(monkeypatch, rendered, container(rendered), tmp_path, ConsoleSettings)
    read = ConsoleSettings()  # type: ignore[call-arg] # from the environment
    assert read.auth_mode == values.get("auth.mode", "none")
    assert {"localhost", "127.0.0.1"} <= read.allowed_hosts
    assert ("console.shop.example" in read.allowed_hosts) == ("console.publicUrl" in values)
    assert (read.issuer(read.secret()) is not None) == ("console.oidc.issuer" in values)
    assert read.console_secret is not None
    assert dict(read.services) == {service.replace("-", "_"): f"demo-{service}:50051" for service in SERVICES}
    assert dict(read.metrics) == {service.replace("-", "_"): f"demo-{service}:9101" for service in SERVICES}
    client = read.kafka_client()
    assert (client["security.protocol"], client["sasl.username"]) == ("SASL_SSL", "console")
    assert read.replay_login()["sasl.username"] == "replay"
    assert read.schema_registry_username == "console"
    assert read.console_environment == "demo"
    assert all((read.credentials(), read.context()))


def test_it_speaks_tls_to_whoever_comes_and_to_the_probes() -> None:
    found = objects()
    one = container(found)
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = one[probe]["httpGet"]
        assert (asked["scheme"], asked["path"]) == ("HTTPS", "/healthz")
        assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}], "it answers no other name"
    (port,) = found["Service", "demo-console"]["spec"]["ports"]
    assert (port["port"], found["Service", "demo-console"]["spec"]["type"]) == (8088, "ClusterIP")


@pytest.mark.parametrize("options", [(), PRODUCTION], ids=["alone", "production"])
def test_there_is_one_which_knows_all_jobs_unless_more_are_asked_for(options: tuple[str, ...]) -> None:
    assert objects(*options)["Deployment", "demo-console"]["spec"]["replicas"] == 1


def test_a_client_stays_with_the_replica_that_runs_its_job() -> None:
    assert objects(values={"console.replicas": 2})["Service", "demo-console"]["spec"]["sessionAffinity"] == "ClientIP"


def test_others_reach_it_where_visitors_sign_in_and_the_values_name_them() -> None:
    made = objects(values={**TOKENS, **PUBLIC, "console.service.type": "LoadBalancer"})
    assert made["Service", "demo-console"]["spec"]["type"] == "LoadBalancer"
    (rule,) = made["NetworkPolicy", "demo-console"]["spec"]["ingress"]
    assert rule == {"ports": [{"port": 8088}], "from": PEERS}


def test_a_client_s_secret_comes_from_the_secret_that_is_named() -> None:
    made = objects(values={**TOKENS, **OIDC, "console.oidc.existingSecret": "at-the-issuer"})
    read = variables(container(made))["CONSOLE_OIDC_CLIENT_SECRET"]
    assert read == {"secretKeyRef": {"name": "at-the-issuer", "key": "clientSecret"}}
    assert "CONSOLE_OIDC_CLIENT_SECRET" not in variables(container(objects(values={**TOKENS, **OIDC})))


def test_it_sends_letters_again_as_an_external_kafka_has_it() -> None:
    there = {"kafka.enabled": False, "kafka.external.bootstrapServers": "broker.example:9092"}
    there |= {"services.orchestrator.autoscaling.by": "cpu"}
    each = variables(container(objects(*PRODUCTION, values={**there, "kafka.external.settingsSecret": "kafka-*"})))
    assert each["CONSOLE_REPLAY_USERNAME"] == {
        "secretKeyRef": {"name": "kafka-replay", "key": "KAFKA_SASL_USERNAME", "optional": True}
    }
    one = variables(container(objects(*PRODUCTION, values={**there, "kafka.external.settingsSecret": "kafka"})))
    assert "CONSOLE_REPLAY_USERNAME" not in one, "there is one login, which may do everything"


def test_without_it_nothing_of_it_is_made() -> None:
    assert not [key for key, one in objects(values={"console.enabled": False}).items() if "console" in str(one)]


@pytest.mark.parametrize("service", SERVICES)
def test_services_trace_to_the_collector_that_is_named(service: str) -> None:
    def read(values: dict[str, object]) -> dict[str, str]:
        (found,) = pod_specs(objects(values=values))[f"demo-{service}"]["containers"]
        return {name: value for name, value in variables(found).items() if name.startswith("OTEL_")}

    assert read({}) == {}
    given: dict[str, object] = {"tracing.endpoint": "http://collector:4318", "tracing.protocol": "http/protobuf"}
    assert read({**given, "tracing.share": 1}) == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_SAMPLER": "parentbased_traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "1",
    }
    assert setup.begin(service, read(given))
    setup.end()
    assert read({**given, "tracing.sampler": "always_off"})["OTEL_TRACES_SAMPLER"] == "always_off"
