"""What the chart refuses, and whether its schema, its values and its README agree."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.chart.rendering import TOKENS, objects, template
from tools.chart_readme import CHART, values

OUTSIDE = "kafka.enabled=false,kafka.external.bootstrapServers=kafka:9092"
JWT = "auth.mode=jwt,auth.issuer=i,auth.audience=a,auth.jwksSecret=keys"
REFUSED = {
    "a-wrong-name": ("services.order.replica=2", "replica"),
    "a-wrong-service": ("services.ordr.replicas=2", "ordr"),
    "a-wrong-part": ("kafak.enabled=false", "kafak"),
    "a-wrong-type": ("services.order.replicas=two", "replicas"),
    "a-wrong-choice": ("kafka.nodes=2", "nodes"),
    "no-quantity": ("postgres.storage.size=lots", "size"),
    "no-kafka": (
        "kafka.enabled=false",
        "kafka.enabled is false: kafka.external.bootstrapServers must say where Kafka is",
    ),
    "a-kafka-in-the-clear": (
        OUTSIDE,
        "kafka.external.settingsSecret is not set: Kafka would be spoken to in the clear and without a login",
    ),
    "a-kafka-in-the-clear-and-not": (
        f"{OUTSIDE},kafka.external.settingsSecret=kafka,kafka.external.plaintextAcknowledged=true",
        "kafka.external.plaintextAcknowledged has no meaning beside kafka.external.settingsSecret",
    ),
    "keda-without-a-login": (
        f"{OUTSIDE},kafka.external.settingsSecret=kafka,services.order.autoscaling.by=lag",
        "services.order.autoscaling.by is lag: KEDA would ask Kafka in the clear and without a login",
    ),
    "a-registry-in-the-clear": (
        "registry.enabled=false,registry.external.url=http://registry:8080",
        "or set registry.external.plaintextAcknowledged=true",
    ),
    "a-password-among-the-values": (
        "registry.enabled=false,registry.external.url=https://me:secret@registry",
        "url",
    ),
    "no-registry": ("registry.enabled=false", "registry.enabled is false: registry.external.url must say"),
    "no-database": (
        "postgres.enabled=false",
        "postgres.enabled is false: services.delivery.database.urlSecret must",
    ),
    "tokens-of-nobody": ("auth.mode=jwt", "auth.mode is jwt: auth.issuer must be given"),
    "an-issuer-that-nobody-asks": (
        "auth.issuer=https://issuer.example",
        "auth.mode is none: auth.issuer has no meaning",
    ),
    "keys-from-anywhere": ("auth.jwksUrl=http://issuer.example/keys", "jwksUrl"),
    "no-keys": ("auth.mode=jwt,auth.issuer=i,auth.audience=a", "either auth.jwksUrl or auth.jwksSecret must be given"),
    "keys-twice": (
        "auth.mode=jwt,auth.issuer=i,auth.audience=a,auth.jwksUrl=https://i/keys,auth.jwksSecret=keys",
        "either auth.jwksUrl or auth.jwksSecret must be given, and not both",
    ),
    "certificates-twice": ("tls.existingSecrets=*-tls,tls.issuerRef.name=ours", "give one of them"),
    "no-issuer": ("tls.issuerRef.kind=Issuer", "tls.issuerRef.name must name cert-manager's issuer"),
    "an-issuer-of-the-whole-cluster": (
        "tls.issuerRef.name=all,tls.issuerRef.kind=ClusterIssuer",
        "every namespace of the cluster may get a certificate for the subject broker",
    ),
    "one-certificate-for-all": ("tls.existingSecrets=shop-tls", "existingSecrets"),
    "no-digest": ("image.digests.order=latest", "order"),
    "a-digest-of-nobody": ("image.digests.ordr=" + "sha256:" + "0" * 64, "there is no service of that name"),
    "no-such-service-type": ("services.order.service.type=ExternalName", "type"),
    "passwords-of-an-earlier-version": ("postgres.passwordsSecret=mine", "is now logins.existingSecrets"),
    "a-public-console-in-the-clear": ("console.publicUrl=http://console.shop", "publicUrl"),
    "a-caller-of-no-kind": ("console.callers[0].namespace=ingress", "callers"),
    "a-collector-at-no-port": ("tracing.endpoint=http://collector", "endpoint"),
    "a-collector-to-which-no-policy-lets-out": (
        "serviceDefaults.settings.OTEL_EXPORTER_OTLP_ENDPOINT=http://collector:4317",
        "name the collector by tracing.endpoint",
    ),
    "another-collector-to-which-no-policy-lets-out": (
        "tracing.endpoint=http://collector:4317,services.order.settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://a:1",
        "services.order.settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ),
    "a-monitor-without-the-certificate-that-metrics-want": (
        "serviceMonitor.enabled=true,services.order.settings.METRICS_TLS_CLIENT_CA=/tls/ca.crt",
        "services.order.settings.METRICS_TLS_CLIENT_CA, or that of serviceDefaults, has readers of metrics show",
    ),
    "a-sampler-that-nobody-has": ("tracing.sampler=sometimes", "sampler"),
    "more-traces-than-there-are": ("tracing.share=1.5", "share"),
    "min-above-max": ("services.order.autoscaling.min=7", "services.order.autoscaling.min must not be above"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_value_that_cannot_be_right_is_refused_by_its_name(case: str) -> None:
    value, problem = REFUSED[case]
    done = template("--set", value)
    assert done.returncode != 0
    assert problem in done.stderr


@pytest.mark.parametrize(
    "emptied",
    [
        "services.order",
        "auth.mode",
        "console.enabled",
        "console.replicas",
        "operators.resources",
        "console.publicUrl",
        "console.oidc",
        "tracing.endpoint",
        "tracing.protocol",
        "tracing.share",
        "networkPolicies.enabled",
        "kafka.enabled",
        "registry.enabled",
        "postgres.enabled",
    ],
)
def test_a_name_with_nothing_behind_it_takes_nothing_away(tmp_path: Path, emptied: str) -> None:
    """Helm forgets a default whose name stands in a file of values with nothing behind it."""
    given = tmp_path / "values.yaml"
    outer, _, inner = emptied.partition(".")
    given.write_text(f"{outer}:\n  {inner}:\n")
    done = template("--values", str(given))
    assert done.returncode != 0
    assert f"{outer}: {inner} is required" in done.stderr


FORMER = ("orderSvc", "productSvc", "deliverySvc", "orchestratorSvc")


@pytest.mark.parametrize("name", FORMER)
def test_a_name_of_an_earlier_version_is_refused_with_the_name_that_it_has_now(name: str) -> None:
    done = template("--set", f"{name}.replicas=2")
    assert done.returncode != 0
    assert re.search(rf"{name} +is now  services\.{name.removesuffix('Svc')}\n", done.stderr)


def test_an_earlier_versions_defaults_are_refused_by_their_names_as_well() -> None:
    """As ``helm upgrade --reuse-values`` brings them: in place of this version's."""
    brought = ",".join(f"{name}.replicas=1" for name in FORMER)
    new = "services=null,serviceDefaults=null,tls=null,logins=null,auth=null,image.digests=null"
    done = template("--set", f"{new},postgres.passwordsSecret=,{brought}")
    assert done.returncode != 0
    assert all(f"{name} " in done.stderr for name in FORMER)
    assert "Do not give --reuse-values" in done.stderr


def test_a_name_of_an_earlier_version_that_is_set_to_null_counts_as_gone() -> None:
    assert template("--set", "orderSvc=null").returncode == 0


def test_a_release_whose_objects_names_would_be_too_long_is_refused() -> None:
    done = template(name="a" * 41)
    assert done.returncode != 0
    assert "at most 40 characters" in done.stderr


@pytest.mark.parametrize("name", ["1shop", "my.shop"])
def test_a_release_is_refused_after_which_no_service_can_be_named(name: str) -> None:
    """Helm takes the name, and the API server would refuse half of the objects."""
    done = template(name=name)
    assert done.returncode != 0
    assert "must begin with a letter" in done.stderr


def _strings(one: object) -> list[object]:
    """Return what stands for a name of the release or of its namespace, which are strings to the API."""
    if isinstance(one, list):
        return [found for inner in one for found in _strings(inner)]
    if not isinstance(one, dict):
        return []
    own = [one[key] for key in ("namespace", "app.kubernetes.io/instance") if key in one]
    return own + [found for inner in one.values() for found in _strings(inner)]


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    """A release may be called ``on``, and a namespace ``123``."""
    made = objects("--namespace=123", name="on", values={"serviceMonitor.enabled": True, "monitoring.rules": True})
    assert {repr(one) for one in _strings(list(made.values()))} == {"'on'", "'123'"}


WHOLE = ("services.",)
"""Has one comment for all that is in it."""


def _paths(schema: dict[str, Any], root: dict[str, Any], prefix: str = "") -> set[str]:
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    for one in schema.get("allOf", ()):
        if "$ref" in one:
            return _paths(one, root, prefix)
    inner = schema.get("properties")
    if not inner or prefix in WHOLE or prefix.endswith(("resources.", ".pod.", "probes.")):
        return {prefix.rstrip(".")}
    return set().union(*(_paths(one, root, f"{prefix}{name}.") for name, one in inner.items()))


def test_every_value_has_a_comment_and_a_place_in_the_schema() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    documented = {one.path for one in values((CHART / "values.yaml").read_text())}
    assert _paths(schema, schema) - {"global"} == documented


def test_a_comment_above_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="stands above nothing"):
        list(values("# -- Of what?\n\na: 1\n"))


def test_a_comment_goes_on_over_lines_and_belongs_to_the_value_below() -> None:
    text = "a:\n  # -- The first\n  # of all.\n  b: 1\n  c: 2\n"
    assert [tuple(one) for one in values(text)] == [("a.b", 1, "The first of all.")]
    assert yaml.safe_load(text)["a"]["b"] == 1


@pytest.mark.parametrize("name", ["CONSOLE_SECRET", "AUTH_MODE", "KAFKA_SASL_USERNAME", "GRPC_TLS_CA"])
def test_no_setting_of_the_console_contradicts_what_the_chart_sets_itself(name: str) -> None:
    refused = template(f"--set=console.settings.{name}=x")
    assert refused.returncode != 0
    assert f"console.settings.{name}: the chart sets it itself" in refused.stderr


@pytest.mark.parametrize("at", ["serviceDefaults", "services.order"])
@pytest.mark.parametrize("name", ["AUTH_MODE", "KAFKA_SECURITY_PROTOCOL", "DATABASE_URL", "GRPC_TLS_KEY"])
def test_no_setting_contradicts_what_the_chart_sets_itself(at: str, name: str) -> None:
    refused = template(
        *(f"--set-string={key}={value}" for key, value in TOKENS.items()), f"--set={at}.settings.{name}=x"
    )
    assert refused.returncode != 0
    assert re.search(rf"services\.\w+\.settings\.{name}\b.*the chart sets it itself", refused.stderr)
