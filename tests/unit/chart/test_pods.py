"""Where pods go and what is added to them: podDefaults, what differs for a part, and what is refused."""

import json
from typing import Any

import pytest

from sagakit.postgres.database import _BACKGROUND, _SCANS
from sagakit.service.life import _API_CONNECTIONS
from tests.unit.chart.rendering import (
    PRODUCTION,
    SERVICES,
    Objects,
    containers,
    job,
    objects,
    pod_specs,
    template,
    variables,
)

ZONE, HOST = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
PARTS = (*SERVICES, "console", "operators", "registry", "kafka", "postgres", "test-completes")
"""All that have pods but the job, whose name changes."""


def specs(rendered: Objects) -> dict[str, dict[str, Any]]:
    """Return the specifications of all pods, the job's among them as demo-contracts."""
    found = {name: spec for name, spec in pod_specs(rendered).items() if "contracts" not in name}
    return {**found, "demo-contracts": job(rendered)}


def test_every_pod_has_the_defaults() -> None:
    toleration = {"key": "pool", "operator": "Exists"}
    found = specs(objects(values={"podDefaults.tolerations": [toleration], "podDefaults.priorityClassName": "high"}))
    assert len(found) == len(PARTS) + 3, "helm test has two pods, and the secrets have a job"
    for name, spec in found.items():
        assert (spec["tolerations"], spec["priorityClassName"]) == ([toleration], "high"), name


def test_what_a_part_says_is_laid_over_the_defaults_maps_key_by_key_and_lists_whole() -> None:
    values = {
        "podDefaults": {"nodeSelector": {"pool": "all", "disk": "any"}, "tolerations": [{"key": "a"}]},
        "serviceDefaults.pod": {"nodeSelector": {"pool": "services"}},
        "services.order.pod": {"nodeSelector": {"disk": "fast"}, "tolerations": [{"key": "b"}]},
        "kafka.pod": {"tolerations": [], "fixedUser": False, "priorityClassName": ""},
        "podDefaults.priorityClassName": "high",
    }
    found = specs(objects(values=values))
    assert found["demo-order-svc"]["nodeSelector"] == {"pool": "services", "disk": "fast"}
    assert found["demo-product-svc"]["nodeSelector"] == {"pool": "services", "disk": "any"}
    assert found["demo-console"]["nodeSelector"] == {"pool": "all", "disk": "any"}
    assert found["demo-order-svc"]["tolerations"] == [{"key": "b"}]
    assert found["demo-product-svc"]["tolerations"] == [{"key": "a"}]
    assert not {"tolerations", "priorityClassName"} & found["demo-kafka"].keys(), "what is empty counts too"
    assert "runAsUser" not in found["demo-kafka"]["securityContext"]


def test_pods_are_spread_over_nodes_and_where_all_have_one_over_zones() -> None:
    def keys(rendered: Objects, part: str) -> list[str]:
        return [one["topologyKey"] for one in specs(rendered)[f"demo-{part}"]["topologySpreadConstraints"]]

    assert keys(objects(), "order-svc") == [HOST]
    assert keys(objects(*PRODUCTION), "kafka") == [ZONE, HOST]
    off = specs(objects(values={"topologySpread.enabled": False}))
    assert [name for name, spec in off.items() if "topologySpreadConstraints" in spec] == []


def test_a_revision_is_spread_by_itself_and_a_broker_beside_all_others() -> None:
    by_part = {
        part: specs(objects())[f"demo-{part}"]["topologySpreadConstraints"][0] for part in ("order-svc", "kafka")
    }
    assert by_part["order-svc"]["matchLabelKeys"] == ["pod-template-hash"]
    assert "matchLabelKeys" not in by_part["kafka"]


def test_a_constraint_of_the_values_counts_the_part_s_own_pods() -> None:
    hard = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    elsewhere = {**hard, "labelSelector": {"matchLabels": {"team": "orders"}}}
    found = objects(values={"podDefaults.topologySpreadConstraints": [hard, elsewhere]})
    (mine, theirs) = specs(found)["demo-order-svc"]["topologySpreadConstraints"]
    selector = found["Deployment", "demo-order-svc"]["spec"]["selector"]
    assert mine == {**hard, "labelSelector": selector}
    assert theirs == elsewhere


def test_where_the_platform_gives_the_user_none_is_asked_for_and_the_rest_stays_closed() -> None:
    """As OpenShift's restricted-v2 does: it refuses a pod that names a user outside of the namespace's range."""
    for name, spec in specs(objects(values={"podDefaults.fixedUser": False})).items():
        context = spec["securityContext"]
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & context.keys(), name
        assert context["runAsNonRoot"] is True, name
        assert all(one["securityContext"]["capabilities"] == {"drop": ["ALL"]} for one in containers(spec)), name


def test_a_user_of_one_s_own_has_all_its_digits() -> None:
    given = {"podDefaults.securityContext": {"runAsUser": 1000660000, "runAsNonRoot": True}}
    assert specs(objects(values=given))["demo-order-svc"]["securityContext"]["runAsUser"] == 1000660000


@pytest.mark.parametrize(
    ("account", "made", "used"),
    [
        ({}, set(), {None}),
        ({"name": "shop"}, set(), {"shop"}),
        ({"create": True, "name": "shop"}, {"shop"}, {"shop"}),
        (
            {"create": True},
            {f"demo-{part}" for part in (*PARTS[:-1], "contracts", "test")},
            {f"demo-{part}" for part in (*PARTS[:-1], "contracts", "test")},
        ),
    ],
    ids=["none", "there", "one", "each"],
)
def test_a_service_account_is_made_or_used_and_no_pod_gets_its_token(
    account: dict[str, object], made: set[str], used: set[str | None]
) -> None:
    found = objects(values={"podDefaults.serviceAccount": account})
    accounts = {name: one for (kind, name), one in found.items() if kind == "ServiceAccount"}
    assert accounts.keys() - {"demo-secrets"} == made
    assert {spec.get("serviceAccountName") for spec in specs(found).values()} - {"demo-secrets"} == used
    assert all(one["automountServiceAccountToken"] is False for one in (*accounts.values(), *specs(found).values()))


def test_variables_of_one_s_own_reach_every_container_of_the_chart_s() -> None:
    reference = {"name": "SHARED", "valueFrom": {"secretKeyRef": {"name": "ours", "key": "shared"}}}
    found = specs(objects(values={"podDefaults.extraEnv": [{"name": "HTTPS_PROXY", "value": "http://p"}, reference]}))
    found.pop("demo-secrets")  # it speaks to the Kubernetes API alone, and no proxy leads there
    for name, spec in found.items():
        for container in containers(spec):
            read = variables(container)
            assert read["HTTPS_PROXY"] == "http://p", (name, container["name"])
            assert read["SHARED"] == reference["valueFrom"], (name, container["name"])


@pytest.mark.parametrize(
    ("path", "variable"),
    [
        ("services.order.pod", "AUTH_MODE"),
        ("serviceDefaults.pod", "OUTBOX_LIMIT"),
        ("podDefaults", "KAFKA_SASL_USERNAME"),
        ("console.pod", "CONSOLE_SECRET"),
        ("operators.pod", "GRPC_TLS_CA"),
        ("registry.pod", "KAFKA_BOOTSTRAP_SERVERS"),
        ("test.pod", "ORDER_SVC_ADDRESS"),
        ("contracts.pod", "SCHEMA_REGISTRY_URL"),
        ("kafka.pod", "KAFKA_MIN_INSYNC_REPLICAS"),
        ("postgres.pod", "POSTGRES_PASSWORD"),
        ("registry.pod", "QUARKUS_CONFIG_LOCATIONS"),
    ],
)
def test_no_variable_contradicts_one_that_the_chart_or_a_setting_gives(path: str, variable: str) -> None:
    extra = json.dumps([{"name": variable, "value": "x"}])
    refused = template(f"--set-json={path}.extraEnv={extra}", "--set=serviceDefaults.settings.OUTBOX_LIMIT=1")
    assert refused.returncode != 0
    assert f".extraEnv, or that of podDefaults or serviceDefaults: {variable} is there already" in refused.stderr


def test_probes_look_at_what_they_did_with_other_thresholds() -> None:
    slow = {"startup": {"failureThreshold": 900}, "liveness": {"periodSeconds": 60}}
    for part in ("order-svc", "console", "registry", "kafka", "postgres"):
        before, after = (
            specs(objects(values=values))[f"demo-{part}"]["containers"][0]
            for values in ({}, {"podDefaults.probes": slow})
        )
        assert after["startupProbe"] == {**before["startupProbe"], "failureThreshold": 900}, part
        assert after["livenessProbe"] == {**before["livenessProbe"], "periodSeconds": 60}, part
        assert after["readinessProbe"] == before["readinessProbe"], part


def test_labels_of_one_s_own_change_no_selector() -> None:
    plain, labelled = objects(), objects(values={"podDefaults.labels": {"team": "orders"}, "commonLabels": {"a": "b"}})
    for kind, name in plain:
        if kind in {"Deployment", "StatefulSet", "Service"}:
            assert plain[kind, name]["spec"]["selector"] == labelled[kind, name]["spec"]["selector"], name
    claims = labelled["StatefulSet", "demo-kafka"]["spec"]["volumeClaimTemplates"]
    assert claims == plain["StatefulSet", "demo-kafka"]["spec"]["volumeClaimTemplates"], "they cannot be changed"


def test_every_object_has_the_common_labels_and_annotations() -> None:
    """But for the secrets of certificates, whose annotations say what they were made for."""
    common = {"team": "orders"}
    given = {"serviceMonitor.labels": {"team": "theirs"}, "serviceMonitor.enabled": True, "monitoring.dashboards": True}
    found = objects(values={**given, "commonLabels": common, "commonAnnotations": common})
    theirs = {name for (_, name), one in found.items() if one["metadata"]["labels"]["team"] != "orders"}
    assert theirs == {"demo-order-saga"}, "which says something else itself"
    kinds = {kind for (kind, _), one in found.items() if "team" not in one["metadata"].get("annotations", {})}
    assert kinds <= {"Secret"}


REFUSED = {
    "a-selector-s-label": (
        'podDefaults.labels={"app.kubernetes.io/component":"x"}',
        "podDefaults.labels: Property name of",
    ),
    "an-annotation-of-the-chart-s": ('kafka.pod.annotations={"order-saga/logins":"x"}', "kafka.pod.annotations"),
    "a-probe-s-target": ('console.pod.probes={"startup":{"httpGet":{}}}', "httpGet is not allowed"),
    "probes-of-nothing": (
        'operators.pod.probes={"startup":{"periodSeconds":9}}',
        "operators.pod.probes: nothing is probed in these pods",
    ),
    "a-volume-of-the-chart-s": (
        'services.order.pod.extraVolumes=[{"name":"tls","emptyDir":{}}]',
        "services.order.pod.extraVolumes, or that of podDefaults or serviceDefaults: tls is there already",
    ),
    "a-mount-where-one-is": (
        'kafka.pod={"extraVolumes":[{"name":"x"}],"extraVolumeMounts":[{"name":"x","mountPath":"/tls"}]}',
        "kafka.pod.extraVolumeMounts, or that of podDefaults or serviceDefaults: /tls is there already",
    ),
    "a-container-of-the-chart-s": (
        'registry.pod.extraContainers=[{"name":"wait","image":"x"}]',
        "registry.pod.extraContainers, or that of podDefaults or serviceDefaults: wait is there already",
    ),
    "a-variable-without-a-name": ('podDefaults.extraEnv=[{"value":"x"}]', "name is required"),
    "a-port-on-no-node": (
        "services.order.service.nodePort=30051",
        "services.order.service.nodePort has no meaning beside services.order.service.type=ClusterIP",
    ),
    "a-balancer-s-option": ('console.service.loadBalancerClass="x"', "it goes with LoadBalancer"),
    "the-type-under-its-old-name": (
        'services.order.serviceType="NodePort"',
        "services.order.serviceType is now services.order.service.type",
    ),
    "the-console-s-type-under-its-old-name": (
        'console.serviceType="NodePort"',
        "console.serviceType is now console.service.type",
    ),
    "the-default-type-under-its-old-name": (
        'serviceDefaults.serviceType="NodePort"',
        "serviceDefaults.serviceType is now serviceDefaults.service.type",
    ),
    "defaults-of-an-earlier-version": (
        "podDefaults=null",
        "podDefaults or networkPolicies.servers is missing: --reuse-values brings the defaults of an earlier version",
    ),
    "no-servers-for-policies": ("networkPolicies.servers=null", "networkPolicies.servers is missing"),
    "a-console-without-its-service": ("console.service=null", "console.service is missing"),
    "more-replicas-than-connections": (
        "services.order.replicas=4",
        "leaves each service 60. Set postgres.maxConnections to 340 at least, or replicas to fewer",
    ),
    "more-scaled-than-connections": (
        'serviceDefaults.autoscaling={"by":"cpu","max":6}',
        "Set postgres.maxConnections to 510 at least, or autoscaling.max to fewer",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_right_is_refused_with_a_sentence(case: str) -> None:
    value, sentence = REFUSED[case]
    refused = template(f"--set-json={value}")
    assert refused.returncode != 0
    assert sentence in refused.stderr


def test_a_replica_is_counted_with_the_connections_that_it_takes() -> None:
    """Its pool, the consumer's own, and the one by which it listens for changes."""
    pool = _API_CONNECTIONS + _SCANS + _BACKGROUND
    refused = template("--set=services.order.replicas=10")
    assert f"10 replicas, which take up to {10 * (pool + 1 + 1)} connections" in refused.stderr


@pytest.mark.parametrize(("replicas", "connections"), [(3, 300), (4, 340), (6, 510)])
def test_as_many_replicas_are_taken_as_there_are_connections_for(replicas: int, connections: int) -> None:
    given = {"serviceDefaults.replicas": replicas, "postgres.maxConnections": connections}
    assert objects(values=given)["Deployment", "demo-order-svc"]["spec"]["replicas"] == replicas
