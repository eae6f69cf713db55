"""The chart on servers that exist: those of another release, whose services it gives further replicas."""

import base64
import json

import pytest

from tests.cluster.release import NAME, SERVICES, Release

NOUNS = tuple(service.removesuffix("-svc") for service in SERVICES)
pytestmark = pytest.mark.timeout(1200)


def test_a_release_on_servers_that_exist_brings_none_and_works(release: Release, namespace: Release) -> None:
    (secret,) = release.get("secrets", "--field-selector", f"metadata.name={NAME}-postgres")
    passwords = {name: base64.b64decode(value).decode() for name, value in secret["data"].items()}
    there = f"{release.namespace}.svc"
    urls = {n: f"postgresql://{n}_svc:{passwords[n]}@{NAME}-postgres.{there}:5432/{n}_svc" for n in NOUNS}
    databases = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "databases"}, "stringData": urls}
    namespace.kubectl("apply", "--filename", "-", stdin=json.dumps(databases))
    values = {
        "kafka.enabled": "false",
        "kafka.external.bootstrapServers": f"{NAME}-kafka.{there}:9092",
        "kafka.external.replicationFactor": "1",
        "registry.enabled": "false",
        "registry.external.url": f"http://{NAME}-registry.{there}:8080/apis/ccompat/v7",
        "postgres.enabled": "false",
        **{f"services.{noun}.database.urlSecret": "databases" for noun in NOUNS},
        **{f"services.{noun}.database.urlKey": noun for noun in NOUNS},
    }
    namespace.install(*(f"--set={name}={value}" for name, value in values.items()))
    assert namespace.get("statefulsets") == []
    assert len(namespace.get("deployments")) == len(NOUNS)
    assert namespace.restarts() == {}
    namespace.helm("test", NAME, "--timeout", "5m")
