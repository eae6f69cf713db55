"""Who reaches whom in a release, by the network policies that it makes: both ends have to let it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from tests.unit.chart.rendering import PRODUCTION, SERVICES, TOKENS, Objects, objects, pod_specs

PARTS = (*SERVICES, "kafka", "registry", "postgres", "contracts", "operators", "console", "test")


class Pod(NamedTuple):
    """A pod, as a policy sees it."""

    namespace: str
    labels: Mapping[str, str]


def of(part: str, namespace: str = "shop", release: str = "demo") -> Pod:
    """Return the pod of a part."""
    name = "app.kubernetes.io"
    return Pod(namespace, {f"{name}/name": "order-saga", f"{name}/instance": release, f"{name}/component": part})


STRANGER = Pod("elsewhere", {"app": "stranger"})
NEIGHBOUR = Pod("shop", {"app": "stranger"})
"""In the release's namespace, and no part of it."""


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a label selector means who has ``labels``."""
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(one["key"]) in one["values"] for one in selector.get("matchExpressions", []))


def is_peer(peer: Mapping[str, Any], pod: Pod) -> bool:
    """Say whether one entry of ``from`` or ``to`` means ``pod``; the policy is in the release's namespace."""
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        if not selects(peer["namespaceSelector"], {"kubernetes.io/metadata.name": pod.namespace}):
            return False
    elif pod.namespace != "shop":
        return False
    return selects(peer.get("podSelector", {}), pod.labels)


def lets(rendered: Objects, subject: Pod, other: Pod, port: int, way: str) -> bool:
    """Say whether the policies of ``subject`` let it talk to (``to``) or be talked to by (``from``) another pod."""
    kind, rules = {"to": ("Egress", "egress"), "from": ("Ingress", "ingress")}[way]
    specs = [one["spec"] for (what, _), one in rendered.items() if what == "NetworkPolicy"]
    own = [one for one in specs if subject.namespace == "shop" and selects(one["podSelector"], subject.labels)]
    closed = [one for one in own if kind in one["policyTypes"]]
    if not closed:
        return True
    return any(
        port in {one["port"] for one in rule["ports"]}
        and (way not in rule or any(is_peer(peer, other) for peer in rule[way]))
        for one in closed
        for rule in one.get(rules, [])
    )


def reaches(rendered: Objects, source: Pod, target: Pod, port: int) -> bool:
    """Say whether both ends let ``source`` talk to ``target``."""
    return lets(rendered, source, target, port, "to") and lets(rendered, target, source, port, "from")


@pytest.fixture(scope="module")
def rendered() -> Objects:
    """The chart as it comes."""
    return objects()


PORTS = (5432, 8088, 8443, 9000, 9092, 9093, 9094, 9101, 50051, 50052)
CALLS = {(source, service, 50051) for source in ("operators", "test") for service in SERVICES}
OPEN = {
    *(
        (service, *server)
        for service in SERVICES
        for server in (("kafka", 9092), ("registry", 8443), ("postgres", 5432))
    ),
    *((part, "kafka", 9092) for part in ("registry", "operators", "console")),
    *((part, "registry", 8443) for part in ("contracts", "operators", "console")),
    *(("console", service, port) for service in SERVICES for port in (9101, 50051)),
    *(("kafka", "kafka", port) for port in (9093, 9094)),
    ("contracts", "kafka", 9094),
    *CALLS,
}
"""Every path inside of a release."""


def test_inside_of_a_release_there_are_these_paths_and_no_others(rendered: Objects) -> None:
    found = {
        (source, target, port)
        for source in PARTS
        for target in PARTS
        for port in PORTS
        if reaches(rendered, of(source), of(target), port)
    }
    assert found == OPEN


@pytest.mark.parametrize("who", [STRANGER, NEIGHBOUR, of("order-svc", "elsewhere"), of("order-svc", release="other")])
@pytest.mark.parametrize("target", ["kafka", "registry", "postgres", "contracts", "operators", "console", "test"])
def test_a_pod_of_another_namespace_or_of_nobody_reaches_no_server(rendered: Objects, who: Pod, target: str) -> None:
    assert [port for port in PORTS if reaches(rendered, who, of(target), port)] == []


@pytest.mark.parametrize("service", SERVICES)
def test_anyone_calls_a_service_and_reads_its_metrics_and_nothing_else(rendered: Objects, service: str) -> None:
    assert [port for port in PORTS if reaches(rendered, STRANGER, of(service), port)] == [9101, 50051]


@pytest.mark.parametrize("part", PARTS)
def test_no_pod_talks_to_anybody_outside_but_to_the_cluster_s_dns(rendered: Objects, part: str) -> None:
    assert [port for port in (*PORTS, 80, 443) if lets(rendered, of(part), STRANGER, port, "to")] == []
    assert lets(rendered, of(part), Pod("kube-system", {"k8s-app": "kube-dns"}), 53, "to")
    assert not lets(rendered, of(part), STRANGER, 53, "to")


def test_every_pod_has_a_policy_of_its_own_both_ways(rendered: Objects) -> None:
    policies = {name: one["spec"]["policyTypes"] for (kind, name), one in rendered.items() if kind == "NetworkPolicy"}
    assert set(policies) == {"demo-default", "demo-secrets", *(f"demo-{part}" for part in PARTS)}
    assert all(sorted(types) == ["Egress", "Ingress"] for types in policies.values())
    assert len(pod_specs(rendered)) == len(PARTS) + 2, "helm test has two pods, and one makes the secrets"


def test_external_servers_and_the_issuer_s_keys_are_reached_at_their_ports() -> None:
    elsewhere = {
        "kafka.enabled": False,
        "kafka.external.bootstrapServers": "a.example:19092,b.example:29092",
        "kafka.external.settingsSecret": "kafka-*",
        "services.orchestrator.autoscaling.by": "cpu",
    }
    found = objects(*PRODUCTION, values={**TOKENS, **elsewhere, "auth.jwksUrl": "https://issuer.example:8444/keys"})
    opened = {port for port in range(80, 65536) if port % 1000 in {80, 92, 432, 443, 444} or port in {443, 8444}}
    assert [port for port in sorted(opened) if lets(found, of("order-svc"), STRANGER, port, "to")] == [
        443, 5432, 8444, 19092, 29092,
    ]  # fmt: skip
    assert [port for port in sorted(opened) if lets(found, of("contracts"), STRANGER, port, "to")] == [
        443,
        19092,
        29092,
    ]


INGRESS = Pod("ingress-nginx", {"app": "controller"})
BY_NAMESPACE = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}]


def test_the_console_is_reached_by_those_whom_the_values_name_at_its_port_alone() -> None:
    public = {"console.publicUrl": "https://console.shop.example", "console.callers": BY_NAMESPACE}
    opened = objects(values={**TOKENS, **public})
    assert [port for port in PORTS if reaches(opened, INGRESS, of("console"), port)] == [8088]
    for who in (STRANGER, NEIGHBOUR, of("order-svc"), of("operators")):
        assert [port for port in PORTS if reaches(opened, who, of("console"), port)] == []


OIDC = {"console.oidc.issuer": "https://issuer.example:8444/realms/shop", "console.oidc.clientId": "console"}


def test_the_console_reaches_the_issuer_at_which_visitors_sign_in_and_no_service_does() -> None:
    made = objects(values={**TOKENS, **OIDC})
    assert lets(made, of("console"), STRANGER, 8444, "to")
    assert not lets(made, of("console"), STRANGER, 443, "to")
    assert not lets(made, of("order-svc"), STRANGER, 8444, "to")


@pytest.mark.parametrize("endpoint", ["http://otel-collector.monitoring:4317", "https://traces.example:4317/otlp"])
def test_the_services_and_they_alone_reach_a_collector_at_its_port(endpoint: str) -> None:
    collector, made = Pod("monitoring", {"app": "otel-collector"}), objects(values={"tracing.endpoint": endpoint})
    assert [part for part in PARTS if reaches(made, of(part), collector, 4317)] == list(SERVICES)
    assert not lets(objects(), of("order-svc"), collector, 4317, "to")


def test_keda_looks_at_kafka_where_a_service_is_scaled_by_lag() -> None:
    keda = Pod("keda", {"app": "keda-operator"})
    assert not reaches(objects(), keda, of("kafka"), 9092)
    both = {f"services.{noun}.autoscaling": {"by": "lag", "max": 3} for noun in ("order", "product")}
    by_lag = objects(values=both)
    assert [port for port in PORTS if reaches(by_lag, keda, of("kafka"), port)] == [9092]
