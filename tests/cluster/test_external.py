"""The chart on servers that exist: those of another release, whose services it gives further replicas."""

import json

import pytest

from tests.cluster.release import NAME, SERVICES, Release

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
pytestmark = pytest.mark.timeout(1200)


def let_in(release: Release, namespace: Release) -> None:
    """Let every pod of a namespace reach the servers of a release, whose own policies let nobody in."""
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace.namespace}}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "guests"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [peer]}]},
    }
    release.kubectl("apply", "--filename", "-", stdin=json.dumps(policy))


def test_a_release_on_servers_that_exist_brings_none_and_works(release: Release, namespace: Release) -> None:
    there, tls = f"{release.namespace}.svc", "sslmode=verify-full&sslrootcert=/authorities/ca.crt"
    owners = {noun: release.secret(f"{NAME}-{noun}-login")["owner"].decode() for noun in NOUNS}
    servers = {
        noun: f"postgresql://{noun}_svc:{password}@{NAME}-postgres.{there}:5432/{noun}_svc?{tls}"
        for noun, password in owners.items()
    }
    namespace.make_secret("databases", dict(servers))
    # All of them show the deployer's certificate to Kafka, which asks at its brokers' listener for nothing else.
    namespace.make_secret("authorities", dict(release.secret(f"{NAME}-deployer-tls")))
    certificate = {
        f"KAFKA_SSL_{name}_LOCATION": f"/authorities/tls.{end}"
        for name, end in (("CERTIFICATE", "crt"), ("KEY", "key"))
    }
    trust = {f"{server}_CA_LOCATION": "/authorities/ca.crt" for server in ("KAFKA_SSL", "SCHEMA_REGISTRY")}
    login = {
        "SCHEMA_REGISTRY_USERNAME": "deployer",
        "SCHEMA_REGISTRY_PASSWORD": release.secret(f"{NAME}-deployer-login")["registry"].decode(),
    }
    namespace.make_secret("servers", {"KAFKA_SECURITY_PROTOCOL": "SSL", **certificate, **trust, **login})
    let_in(release, namespace)
    values = {
        "kafka.enabled": "false",
        "kafka.external.bootstrapServers": f"{NAME}-kafka-nodes.{there}:9094",
        "kafka.external.settingsSecret": "servers",
        "kafka.external.replicationFactor": "1",
        "registry.enabled": "false",
        "registry.external.url": f"https://{NAME}-registry.{there}:8443/apis/ccompat/v7",
        "postgres.enabled": "false",
        "tls.authoritiesSecret": "authorities",
        **{f"services.{noun}.database.urlSecret": "databases" for noun in NOUNS},
        **{f"services.{noun}.database.urlKey": noun for noun in NOUNS},
    }
    namespace.install(*(f"--set={name}={value}" for name, value in values.items()))
    assert namespace.get("statefulsets") == []
    assert len(namespace.get("deployments")) == len(NOUNS) + 2
    assert namespace.restarts() == {}
    namespace.helm("test", NAME, "--timeout", "5m")
