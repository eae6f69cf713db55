"""One node of Kafka, as the version before made it, becomes three: with its records, and a copy on each of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from tests.support.acknowledged import Acknowledged
from tests.support.kafka_nodes import Nodes, kafka_nodes
from tests.support.wait import eventually

ALL = (0, 1, 2)
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def nodes(tmp_path: Path) -> Iterator[Nodes]:
    """Nodes of which none runs yet."""
    with kafka_nodes(tmp_path) as made:
        yield made


def test_a_node_alone_forms_a_cluster_at_once_and_keeps_it(nodes: Nodes) -> None:
    nodes.start(0, nodes=1)
    nodes.must_be_in_sync(0)
    before = nodes.cluster(0), nodes.directory(0)
    orders = Acknowledged(nodes.client(), "orders")
    orders.make_topic(copies=1)
    with orders.written():
        nodes.cut(0)
        nodes.start(0, nodes=1)
        nodes.must_be_in_sync(0)
    orders.must_all_be_there()
    assert (nodes.cluster(0), nodes.directory(0)) == before


def test_one_node_of_the_version_before_becomes_three_under_load(nodes: Nodes) -> None:
    nodes.start_earlier(0)
    orders = Acknowledged(nodes.client(), "orders")
    orders.make_topic(copies=1)
    orders.write(100)
    nodes.stop(0)
    nodes.start(0, nodes=1)
    nodes.must_be_in_sync(0)
    with orders.written():
        nodes.start(1, 2, KAFKA_BROKER_RACK="zone-b")
        nodes.must_be_in_sync(1, 2)
        nodes.stop(0)  # the last to be replaced, as by Kubernetes
        nodes.start(0)
        nodes.must_be_in_sync(0)
        assert "some topics have fewer than 3 copies" in nodes.copies()
        assert copies(nodes, "orders") == {ALL}
    assert racks(nodes) == {0: None, 1: "zone-b", 2: "zone-b"}
    assert waits_for(nodes, "orders") == "2"
    assert nodes.copies().splitlines() == ["each topic has 3 copies, and a record waits for two"]  # safe to repeat
    with orders.written():
        nodes.cut(0)
        nodes.lose(0)
        orders.must_go_on()
    orders.must_all_be_there()


def copies(nodes: Nodes, topic: str) -> set[tuple[int, ...]]:
    """Return on which nodes the partitions of a topic are, all of whose copies have to be in sync."""

    def found() -> set[tuple[int, ...]]:
        partitions = AdminClient(nodes.client()).list_topics(topic, timeout=20).topics[topic].partitions.values()
        assert all(sorted(one.isrs) == sorted(one.replicas) for one in partitions)
        return {tuple(sorted(one.replicas)) for one in partitions}

    return eventually(found, 60)


def racks(nodes: Nodes) -> dict[int, str | None]:
    """Return the rack of each node, where it has one."""
    admin = AdminClient(nodes.client())
    return {node.id: node.rack for node in admin.describe_cluster(request_timeout=20).result(30).nodes}


def waits_for(nodes: Nodes, topic: str) -> str:
    """Return for how many copies a record of a topic waits."""
    admin, resource = AdminClient(nodes.client()), ConfigResource(ResourceType.TOPIC, topic)
    return str(admin.describe_configs([resource])[resource].result(20)["min.insync.replicas"].value)
