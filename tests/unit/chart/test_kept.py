"""Rendered again with the same values, the chart is the same; and which pods an upgrade replaces."""

import re
from typing import Any

import pytest

from tests.unit.chart.finding import Render
from tests.unit.chart.rendering import PRODUCTION, SERVICES, Objects, objects, template

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)


def changed(before: Objects, after: Objects) -> set[str]:
    """Return the objects that are others than before, or that are new."""
    return {f"{kind}/{name}" for (kind, name), one in after.items() if before.get((kind, name)) != one}


OUTSIDE = (
    *PRODUCTION,
    "--set=kafka.enabled=false,kafka.external.bootstrapServers=broker.example:9092",
    "--set=kafka.external.settingsSecret=kafka-*,logins.existingSecrets=*-login",
    "--set=services.orchestrator.autoscaling.by=cpu,services.orchestrator.autoscaling.max=3",
)


VALUES: dict[str, tuple[str, ...]] = {
    "as-it-comes": (),
    "production": PRODUCTION,
    "three-nodes": ("--set=kafka.nodes=3",),
    "given": ("--set=logins.existingSecrets=*-login,tls.existingSecrets=*-tls",),
    "issued": ("--set=tls.issuerRef.name=ours",),
    "outside": OUTSIDE,
}


@pytest.mark.parametrize("values", VALUES)
def test_it_is_rendered_the_same_each_time(values: str) -> None:
    """So that what renders without a cluster, as Argo CD does, finds nothing to change."""
    first, second = (template(*VALUES[values]) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout


def test_a_cluster_that_holds_the_secrets_changes_nothing_of_it(render: Render) -> None:
    there: Objects = {
        ("Secret", f"demo-{part}"): {"metadata": {"resourceVersion": "7"}} for part in ("ca", "order-login")
    }
    assert changed(render({}), render(there)) == set()


def test_no_secret_and_no_key_is_rendered() -> None:
    """What Helm renders, it keeps in its records of the release."""
    text = template("--set=services.order.autoscaling.by=lag,services.order.autoscaling.max=3").stdout
    assert "PRIVATE KEY" not in text
    secrets = {
        name: one
        for (kind, name), one in objects(values={"services.order.autoscaling": {"by": "lag", "max": 3}}).items()
        if kind == "Secret"
    }
    assert {name: set(one["stringData"]) for name, one in secrets.items()} == {"demo-keda": {"sasl", "tls", "username"}}


def mounted_configuration(found: Objects) -> set[tuple[str, str]]:
    """Return the ConfigMaps that pods mount, each with the workload that does."""
    return {
        (name, volume["configMap"]["name"])
        for (kind, name), one in found.items()
        if kind in {"Deployment", "StatefulSet"}
        for volume in one["spec"]["template"]["spec"].get("volumes", [])
        if "configMap" in volume
    }


OTHER_CONFIGURATION: dict[str, Any] = {"console.enabled": False, "postgres.maxConnections": 400}
"""By which each ConfigMap that a pod reads at its start is another."""


def test_other_configuration_replaces_the_pods_that_read_it_at_their_start() -> None:
    before, after = objects(), objects(values=OTHER_CONFIGURATION)
    read = mounted_configuration(before)
    assert read == {("demo-postgres", "demo-postgres"), ("demo-registry", "demo-registry")}
    for workload, configuration in read:
        assert before["ConfigMap", configuration] != after["ConfigMap", configuration]
        kind = "StatefulSet" if ("StatefulSet", workload) in before else "Deployment"
        was, now_is = (one[kind, workload]["spec"]["template"]["metadata"]["annotations"] for one in (before, after))
        assert {key for key in was if was[key] != now_is[key]} & {"order-saga/databases", "order-saga/properties"}


LOGIN_READERS = {
    "order-login": {"Deployment/demo-order-svc", "Deployment/demo-registry", "StatefulSet/demo-postgres", "Job"},
    "replay-login": {"Deployment/demo-operators", "Deployment/demo-console", "Job"},
    "postgres-login": {"StatefulSet/demo-postgres"},
    "kafka-tls": set[str](),
}


@pytest.mark.parametrize("secret", LOGIN_READERS)
def test_other_given_passwords_replace_the_pods_that_read_them(render: Render, secret: str) -> None:
    keys = ("kafka", "registry", "database", "owner", "session", "superuser", "tls.crt", "tls.key", "ca.crt")
    nouns = (*NOUNS, "operators", "console", "replay", "registry", "deployer", "postgres", "kafka")

    def holding(version: str) -> Objects:
        names = [f"{noun}-{what}" for noun in nouns for what in ("login", "tls")]
        there = {("Secret", name): {"metadata": {}, "data": dict.fromkeys(keys, "")} for name in names}
        there["Secret", secret]["metadata"] = {"resourceVersion": version}
        return there

    before, after = (render(holding(version), *VALUES["given"]) for version in ("1", "2"))
    assert {re.sub(r"Job/.*", "Job", one) for one in changed(before, after)} == LOGIN_READERS[secret]


CLIENTS = (*NOUNS, "operators", "console", "replay", "deployer")
GIVEN = {
    **{f"kafka-{noun}": "KAFKA_SECURITY_PROTOCOL" for noun in CLIENTS},
    **{f"registry-login-{noun}": "SCHEMA_REGISTRY_USERNAME" for noun in CLIENTS},
    **{f"{noun}-database": "uri" for noun in NOUNS},
    "console-login": "session",
}
"""The secrets that a release on servers outside of it reads, and the key that has to be in each."""
READERS = {
    "kafka-order": {"Deployment/demo-order-svc"},
    "registry-login-product": {"Deployment/demo-product-svc"},
    "delivery-database": {"Deployment/demo-delivery-svc"},
    "kafka-operators": {"Deployment/demo-operators"},
    "kafka-console": {"Deployment/demo-console"},
    "kafka-replay": {"Deployment/demo-operators", "Deployment/demo-console"},
    "registry-login-console": {"Deployment/demo-console"},
    "kafka-deployer": {"Job"},
    "kafka-nobody": set[str](),
}


@pytest.mark.parametrize("secret", READERS)
def test_another_secret_of_an_external_server_rolls_who_reads_it(render: Render, secret: str) -> None:
    def holding(version: str) -> Objects:
        there = {("Secret", name): {"metadata": {}, "data": {key: ""}} for name, key in GIVEN.items()}
        there.setdefault(("Secret", secret), {})["metadata"] = {"resourceVersion": version}
        return there

    before, after = (render(holding(version), *OUTSIDE) for version in ("1", "2"))
    assert {re.sub(r"Job/.*", "Job", one) for one in changed(before, after)} == READERS[secret]
