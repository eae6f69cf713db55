"""How the nodes of Kafka are placed, started and added."""

from typing import Any

import pytest

from tests.unit.chart.rendering import Objects, job, objects, pod_specs, template, variables


@pytest.fixture(scope="module")
def three() -> Objects:
    """The chart with three nodes."""
    return objects(values={"kafka.nodes": 3})


def node(rendered: Objects) -> dict[str, Any]:
    """Return the container of a node."""
    (container,) = pod_specs(rendered)["demo-kafka"]["containers"]
    found: dict[str, Any] = container
    return found


def test_each_node_knows_every_other_and_none_knows_a_fixed_cluster(three: Objects) -> None:
    given = variables(node(three))
    hosts = [f"demo-kafka-{number}.demo-kafka-nodes.shop.svc" for number in range(3)]
    assert given["KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS"] == ",".join(f"{host}:9093" for host in hosts)
    assert given["NEW_NODES"] == ",".join(f"{host}:9095" for host in hosts)
    assert not {"CLUSTER_ID", "KAFKA_CONTROLLER_QUORUM_VOTERS"} & set(given)


def test_only_other_nodes_reach_where_a_node_says_that_its_volume_is_new(three: Objects) -> None:
    rules = three["NetworkPolicy", "demo-kafka"]["spec"]["ingress"]
    (peers,) = (rule["from"] for rule in rules if {"port": 9095} in rule["ports"])
    (peer,) = peers
    (chosen,) = peer["podSelector"]["matchExpressions"]
    assert chosen["values"] == ["kafka"]
    services = [one for (kind, name), one in three.items() if kind == "Service" and name.startswith("demo-kafka")]
    assert all(port["port"] != 9095 for one in services for port in one["spec"]["ports"])


def test_a_node_s_rack_is_its_zone(three: Objects) -> None:
    zone = "metadata.labels['topology.kubernetes.io/zone']"
    assert variables(node(three))["KAFKA_BROKER_RACK"] == {"fieldRef": {"fieldPath": zone}}


def test_nodes_are_kept_apart_by_machine_and_by_zone(three: Objects) -> None:
    rules = pod_specs(three)["demo-kafka"]["affinity"]["podAntiAffinity"]
    terms = [one["podAffinityTerm"] for one in rules["preferredDuringSchedulingIgnoredDuringExecution"]]
    assert {term["topologyKey"] for term in terms} == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    labels = three["StatefulSet", "demo-kafka"]["spec"]["template"]["metadata"]["labels"]
    assert all(term["labelSelector"]["matchLabels"].items() <= labels.items() for term in terms)


@pytest.mark.parametrize(("given", "seconds"), [(None, 300), (900, 900), (31, 32)])
def test_a_node_may_take_as_long_to_start_as_the_values_say(given: int | None, seconds: int) -> None:
    made = objects(values={} if given is None else {"kafka.startupSeconds": given})
    probe = node(made)["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == seconds


def test_a_time_to_start_that_is_too_short_is_refused() -> None:
    assert "kafka.startupSeconds: Must be greater" in template("--set=kafka.startupSeconds=29").stderr


def test_the_next_node_is_restarted_when_the_one_before_is_in_sync(three: Objects) -> None:
    assert node(three)["readinessProbe"]["exec"]["command"] == ["test", "-e", "/tmp/in-sync"]  # noqa: S108 # the pod's
    mounts = {one["mountPath"]: one["name"] for one in node(three)["volumeMounts"]}
    assert mounts["/tmp"] == "scratch"  # noqa: S108 # the same
    budget = three["PodDisruptionBudget", "demo-kafka"]["spec"]
    assert budget["maxUnavailable"] == 1


def test_topics_get_a_copy_on_each_of_several_nodes_before_more_are_made(three: Objects) -> None:
    (copies,) = job(three)["initContainers"]
    assert variables(copies) == {"BROKERS": "demo-kafka-nodes:9094", "NODES": "3"}
    assert "initContainers" not in job(objects())


def test_what_the_values_have_run_first_runs_before_the_copies_as_well() -> None:
    first = [{"name": "agent", "image": "agent:1", "restartPolicy": "Always"}]
    made = job(objects(values={"kafka.nodes": 3, "contracts.pod.extraInitContainers": first}))
    assert [one["name"] for one in made["initContainers"]] == ["agent", "copies"]


def test_a_certificate_names_nodes_that_are_added_later() -> None:
    one, more = (objects(values={"kafka.nodes": count, "tls.issuerRef": {"name": "ours"}}) for count in (1, 3))
    names = ("Certificate", "demo-kafka-issued")
    assert one[names]["spec"]["dnsNames"] == more[names]["spec"]["dnsNames"]
