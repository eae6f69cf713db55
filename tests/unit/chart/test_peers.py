"""Peers of network policies, as the values name them: who calls the services, and where servers outside are."""

import pytest

from tests.unit.chart.rendering import SERVICES, TOKENS, objects, template
from tests.unit.chart.test_network import BY_NAMESPACE, INGRESS, PARTS, PORTS, STRANGER, Pod, lets, of, reaches

PROMETHEUS = Pod("monitoring", {"app": "prometheus"})
BY_POD = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
SERVERS = Pod("servers", {"app": "server"})
THERE = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "servers"}}}]
OUTSIDE: dict[str, object] = {
    **TOKENS,
    "kafka.enabled": False,
    "kafka.external.bootstrapServers": "kafka.example:19092",
    "kafka.external.settingsSecret": "kafka-*",
    "registry.enabled": False,
    "registry.external.url": "https://registry.example:18443",
    "postgres.enabled": False,
    "serviceDefaults.database.urlSecret": "*-database",
    "tracing.endpoint": "http://collector.example:14317",
    "auth.jwksUrl": "https://id.example:1443/keys",
}
PLACES = {"kafka": 19092, "registry": 18443, "databases": 5432, "collector": 14317, "issuers": 1443}
"""By the server's name among the values, its port."""


def test_a_service_is_called_by_those_whom_the_values_name_and_by_the_release_s_own() -> None:
    made = objects(values={"services.order.callers": BY_NAMESPACE})
    assert [port for port in PORTS if reaches(made, INGRESS, of("order-svc"), port)] == [9101, 50051]
    assert [port for port in PORTS if reaches(made, STRANGER, of("order-svc"), port)] == [9101]
    callers = [part for part in PARTS if reaches(made, of(part), of("order-svc"), 50051)]
    assert callers == ["operators", "console", "test"]
    assert reaches(made, STRANGER, of("product-svc"), 50051), "of which nothing was said"


@pytest.mark.parametrize("service", SERVICES)
def test_metrics_are_read_by_those_whom_the_values_name_and_by_the_console(service: str) -> None:
    made = objects(values={"networkPolicies.metricsReaders": BY_POD})
    assert reaches(made, PROMETHEUS, of(service), 9101)
    assert reaches(made, of("console"), of(service), 9101)
    assert [port for port in PORTS if reaches(made, STRANGER, of(service), port)] == [50051]


@pytest.mark.parametrize("server", PLACES)
def test_a_server_outside_is_reached_where_the_values_say_that_it_is_and_nowhere_else(server: str) -> None:
    anywhere, there = objects(values=OUTSIDE), objects(values={**OUTSIDE, f"networkPolicies.servers.{server}": THERE})
    port = PLACES[server]
    assert lets(anywhere, of("order-svc"), STRANGER, port, "to")
    assert lets(there, of("order-svc"), SERVERS, port, "to")
    assert not lets(there, of("order-svc"), STRANGER, port, "to")
    others = [other for name, other in PLACES.items() if name != server]
    assert all(lets(there, of("order-svc"), STRANGER, other, "to") for other in others)


def test_addresses_are_peers_as_well() -> None:
    block = {"ipBlock": {"cidr": "10.1.0.0/16", "except": ["10.1.9.0/24"]}}
    made = objects(values={**OUTSIDE, "networkPolicies.servers.databases": [block]})
    rules = made["NetworkPolicy", "demo-order-svc"]["spec"]["egress"]
    assert {"ports": [{"port": 5432}], "to": [block]} in rules


@pytest.mark.parametrize("part", PARTS)
def test_more_can_be_let_out_of_every_pod_such_as_to_a_dns_elsewhere(part: str) -> None:
    dns = {"matchLabels": {"kubernetes.io/metadata.name": "openshift-dns"}}
    rule = {"ports": [{"port": 5353, "protocol": "UDP"}], "to": [{"namespaceSelector": dns}]}
    made = objects(values={"networkPolicies.extraEgress": [rule]})
    assert lets(made, of(part), Pod("openshift-dns", {}), 5353, "to")
    assert lets(made, of(part), Pod("kube-system", {}), 53, "to")
    assert not lets(made, of(part), STRANGER, 5353, "to")


def test_more_can_be_let_into_every_pod() -> None:
    rule = {"ports": [{"port": 8080}], "from": BY_POD}
    made = objects(values={"networkPolicies.extraIngress": [rule]})
    assert all(lets(made, of(part), PROMETHEUS, 8080, "from") for part in PARTS)
    assert not lets(made, of("postgres"), STRANGER, 8080, "from")


REFUSED = {
    "services.order.callers": "services.order.callers keeps nobody out where networkPolicies.enabled is false",
    "networkPolicies.metricsReaders": "networkPolicies.metricsReaders keeps nobody out",
    "networkPolicies.servers.issuers": "networkPolicies.servers.issuers keeps nobody out",
    "networkPolicies.extraEgress": "networkPolicies.extraEgress keeps nobody out",
}


@pytest.mark.parametrize("path", REFUSED)
def test_peers_without_policies_are_refused(path: str) -> None:
    refused = template(f'--set-json={path}=[{{"podSelector":{{}}}}]', "--set=networkPolicies.enabled=false")
    assert refused.returncode != 0
    assert REFUSED[path] in refused.stderr


@pytest.mark.parametrize(("server", "part"), [("kafka", "kafka"), ("registry", "registry"), ("databases", "postgres")])
def test_peers_of_a_server_that_the_chart_brings_are_refused(server: str, part: str) -> None:
    refused = template(f'--set-json=networkPolicies.servers.{server}=[{{"podSelector":{{}}}}]')
    assert refused.returncode != 0
    assert f"is for a server outside of the release, and {part}.enabled is true" in refused.stderr


@pytest.mark.parametrize("path", ["serviceDefaults.callers", "networkPolicies.servers.kafka"])
def test_a_misspelt_peer_is_refused(path: str) -> None:
    refused = template(f'--set-json={path}=[{{"namespace":"a"}}]')
    assert refused.returncode != 0
    assert "namespace is not allowed" in refused.stderr
