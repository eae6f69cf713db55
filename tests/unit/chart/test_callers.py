"""Who may call the services of a release: anyone, which is said, or whoever has a token."""

import json
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import yaml

from sagakit.rpc import local_issuer
from sagakit.service.settings import ServiceSettings
from tests.unit.chart.rendering import SERVICES, TOKENS, objects, pod_specs, template, variables
from tests.unit.chart.running import lay_out, step_in
from tools.chart_readme import CHART

KEYS = {name: value for name, value in TOKENS.items() if name != "auth.jwksUrl"} | {"auth.jwksSecret": "issuer-keys"}


@pytest.mark.parametrize("values", [{}, TOKENS, KEYS], ids=["none", "jwt", "keys-in-a-secret"])
@pytest.mark.parametrize("service", SERVICES)
def test_the_services_take_the_settings_that_they_get(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, service: str, values: dict[str, object]
) -> None:
    rendered = objects(values=values)
    spec = pod_specs(rendered)[f"demo-{service}"]
    lay_out(rendered, spec, tmp_path)
    (tmp_path / "jwks").mkdir()
    (tmp_path / "jwks" / "jwks.json").write_text(local_issuer.published(local_issuer.make_key()))
    step_in(monkeypatch, rendered, spec["containers"][0], tmp_path, ServiceSettings)
    settings = ServiceSettings()  # type: ignore[call-arg] # from the environment
    assert (settings.auth_mode, settings.serves_anyone) == (values.get("auth.mode", "none"), not values)
    assert settings.auth_issuer == values.get("auth.issuer")
    assert not settings.sends_tokens_in_clear


def test_keys_in_a_secret_are_mounted_as_a_folder_so_that_they_are_read_again() -> None:
    spec = pod_specs(objects(values=KEYS))["demo-order-svc"]
    (mounted,) = (one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "jwks")
    assert "subPath" not in mounted
    assert [one["secret"]["secretName"] for one in spec["volumes"] if one["name"] == "jwks"] == ["issuer-keys"]


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_metrics_stay_inside_of_the_cluster_where_a_service_is_called_from_outside(kind: str) -> None:
    made = objects(values={**TOKENS, "services.order.service.type": kind, "serviceMonitor.enabled": True})
    ports = {name: one["spec"]["ports"] for (what, name), one in made.items() if what == "Service"}
    assert [one["name"] for one in ports["demo-order-svc"]] == ["grpc"]
    assert [one["name"] for one in ports["demo-product-svc"]] == ["grpc", "metrics"]
    inside = made["Service", "demo-order-metrics"]
    assert inside["spec"].get("type", "ClusterIP") == "ClusterIP"
    assert [one["port"] for one in inside["spec"]["ports"]] == [9101]
    assert inside["spec"]["selector"] == made["Service", "demo-order-svc"]["spec"]["selector"]
    monitored = made["ServiceMonitor", "demo-order-saga"]["spec"]["selector"]["matchLabels"]
    assert monitored.items() <= inside["metadata"]["labels"].items()


@pytest.mark.parametrize("kind", ["NodePort", "LoadBalancer"])
def test_services_that_others_can_reach_serve_nobody_without_a_token(kind: str) -> None:
    refused = template("--set", f"services.order.service.type={kind}")
    assert refused.returncode != 0
    assert f"services.order.service.type is {kind}" in refused.stderr
    assert "Set auth.mode=jwt" in refused.stderr
    made = objects(values={**TOKENS, "services.order.service.type": kind})
    assert made["Service", "demo-order-svc"]["spec"]["type"] == kind
    assert made["Service", "demo-product-svc"]["spec"]["type"] == "ClusterIP"


def test_helm_test_has_the_token_that_it_is_given_and_none_else() -> None:
    without = variables(pod_specs(objects(values=TOKENS))["demo-test-completes"]["containers"][0])
    assert (without["AUTH_MODE"], without.get("ORDERSAGA_TOKEN")) == ("jwt", None)
    given = {**TOKENS, "auth.test.tokenSecret": "a-token"}
    with_one = variables(pod_specs(objects(values=given))["demo-test-completes"]["containers"][0])
    assert with_one["ORDERSAGA_TOKEN"] == {"secretKeyRef": {"name": "a-token", "key": "token"}}


PROBE = """
notes: {{ tpl (.Files.Get "NOTES.txt") . | toJson }}
"""
"""Only ``helm install`` prints the notes, and it asks a cluster."""


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """What ``helm install`` says in the end, by the values that it is given."""
    copy = tmp_path_factory.mktemp("chart") / "order-saga"
    shutil.copytree(CHART, copy)
    (copy / "templates" / "NOTES.txt").rename(copy / "NOTES.txt")
    (copy / "templates" / "probe.yaml").write_text(PROBE)

    def said(values: Mapping[str, object]) -> str:
        given = [f"--set-json={name}={json.dumps(value)}" for name, value in values.items()]
        command = ["helm", "template", "demo", str(copy), "--show-only=templates/probe.yaml", *given]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return str(yaml.safe_load(done.stdout)["notes"])

    return said


def test_the_notes_say_plainly_when_anyone_may_call(notes: Callable[..., str]) -> None:
    assert "CALLERS NEED NO TOKEN" in notes({})
    assert "CALLERS NEED NO TOKEN" not in notes(TOKENS)
    assert "Callers need a token of https://issuer.example for the-shop" in notes(TOKENS)


def test_the_notes_show_operators_how_to_give_their_token(notes: Callable[..., str]) -> None:
    assert "-- sh -c 'ORDERSAGA_TOKEN=$(cat) ordersaga saga list --stuck' < operator.token" in notes(TOKENS)
    assert "-- ordersaga saga list --stuck" in notes({})


def test_the_notes_say_how_the_console_is_opened_and_who_signs_in_there(notes: Callable[..., str]) -> None:
    assert "port-forward service/demo-console 8088\n" in notes({})
    assert "Sign in" not in notes({})
    assert "Sign in with a token:" in notes(TOKENS)
    oidc = {"console.oidc.issuer": "https://issuer.example", "console.oidc.clientId": "console"}
    public = {"console.publicUrl": "https://console.shop.example", "console.callers": [{"podSelector": {}}]}
    said = notes({**TOKENS, **oidc, **public})
    assert "Sign in at https://issuer.example, or with a token:" in said
    assert "Others find it at https://console.shop.example" in said
    assert "console" not in notes({"console.enabled": False})


def test_the_notes_say_which_keys_given_secrets_have_to_have(notes: Callable[..., str]) -> None:
    said = notes({"logins.existingSecrets": "*-login", "tls.existingSecrets": "*-tls"})
    assert "  console-login: kafka, registry, session\n" in said
    assert "  console-tls: tls.crt, tls.key, ca.crt\n" in said
    assert "Pods wait for these secrets" not in notes({})


def test_the_notes_say_what_a_value_has_opened(notes: Callable[..., str]) -> None:
    outside = {"kafka.enabled": False, "kafka.external.bootstrapServers": "kafka:9092"}
    in_clear = {"registry.enabled": False, "registry.external.url": "http://registry:8080"}
    in_clear |= {f"{part}.external.plaintextAcknowledged": True for part in ("kafka", "registry")}
    assert "There are no network policies" in notes({"networkPolicies.enabled": False})
    said = notes({**outside, **in_clear})
    assert "KAFKA IS SPOKEN TO IN THE CLEAR" in said
    assert "THE REGISTRY IS SPOKEN TO IN THE CLEAR" in said
    assert "IN THE CLEAR" not in notes({**outside, "kafka.external.settingsSecret": "kafka-login"})
    assert "IN THE CLEAR" not in notes({})


def test_the_notes_say_what_renews_certificates_and_what_enforces_policies(notes: Callable[..., str]) -> None:
    assert "upgrade once a year" in notes({})
    assert "upgrade once a year" not in notes({"tls.existingSecrets": "*-tls"})
    assert "the cluster's CNI enforces them" in notes({})
