"""Three nodes of Kafka as the chart runs them lose nothing but what docs/kafka-nodes.md names, and are never two."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.acknowledged import Acknowledged
from tests.support.kafka_nodes import Nodes, kafka_nodes

ALL = (0, 1, 2)
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three nodes, none of which runs yet; all tests share them, because each start takes seconds."""
    with kafka_nodes(tmp_path_factory.mktemp("nodes")) as made:
        yield made


@pytest.fixture
def whole(nodes: Nodes) -> Nodes:
    """The nodes, all of them running and in sync."""
    nodes.start(*set(ALL) - set(nodes.running))
    nodes.must_be_in_sync(*ALL)
    return nodes


@pytest.fixture
def orders(whole: Nodes) -> Acknowledged:
    """A topic with a copy on each node, and whoever writes to it."""
    written = Acknowledged(whole.client(), "orders")
    written.make_topic(copies=3)
    return written


def test_a_fresh_cluster_waits_for_a_late_node_and_is_one(nodes: Nodes) -> None:
    nodes.start(1, 2)
    for node in (1, 2):
        nodes.must_say(node, "Node 0 does not answer yet")
        assert not made(nodes, node)
    nodes.start(0)
    nodes.must_be_in_sync(*ALL)
    assert len({nodes.cluster(node) for node in ALL}) == 1
    assert voters(nodes) == {node: nodes.directory(node) for node in ALL}


def test_a_rolling_restart_under_load_loses_nothing(whole: Nodes, orders: Acknowledged) -> None:
    with orders.written():
        for node in reversed(ALL):
            whole.stop(node)
            orders.must_go_on()
            whole.start(node)
            whole.must_be_in_sync(node)
    orders.must_all_be_there()


def test_a_power_cut_of_all_loses_nothing_whoever_comes_first(whole: Nodes, orders: Acknowledged) -> None:
    before = [whole.cluster(node) for node in ALL]
    with orders.written():
        whole.cut(*ALL)
        whole.start(1, 2)
        time.sleep(3)
        whole.start(0)
        whole.must_be_in_sync(*ALL)
    orders.must_all_be_there()
    assert [whole.cluster(node) for node in ALL] == before


def test_the_volume_of_the_first_node_is_lost_and_filled_again(whole: Nodes, orders: Acknowledged) -> None:
    before, former = whole.cluster(0), whole.directory(0)
    with orders.written():
        whole.cut(0)
        whole.lose(0)
        whole.start(0)
        whole.must_be_in_sync(0)
    orders.must_all_be_there()
    assert whole.cluster(0) == before
    assert whole.directory(0) != former
    assert voters(whole, at=1) == {node: whole.directory(node) for node in ALL}


def test_two_lost_volumes_form_no_second_cluster(whole: Nodes, orders: Acknowledged, tmp_path: Path) -> None:
    orders.write(10)
    whole.cut(*ALL)
    for node in (0, 1):
        shutil.copytree(whole.volume(node), tmp_path / str(node))
    whole.lose(0, 1)
    whole.start(*ALL)
    for node in (0, 1):
        whole.must_say(node, "Node 2 has a cluster, but knows no leader of it: too few of its nodes are there.")
        assert 'see docs/kafka-nodes.md, "Two lost volumes"' in whole.log(node)
        assert not made(whole, node)
    whole.cut(*ALL)
    for node in (0, 1):  # they are found again
        shutil.copytree(tmp_path / str(node), whole.volume(node), dirs_exist_ok=True)
    whole.start(*ALL)
    whole.must_be_in_sync(*ALL)
    orders.must_all_be_there()


def test_what_is_on_a_volume_without_its_own_file_is_not_formatted_over(nodes: Nodes) -> None:
    nodes.cut(*nodes.running)
    (nodes.volume(0) / "log" / "meta.properties").unlink()
    before = sorted(path.name for path in (nodes.volume(0) / "log").iterdir())
    nodes.start(0)
    nodes.must_say(0, "has no meta.properties, and is not empty: it is not formatted over what is in it")
    assert sorted(path.name for path in (nodes.volume(0) / "log").iterdir()) == before


def made(nodes: Nodes, node: int) -> bool:
    """Say whether a node's volume is formatted."""
    return (nodes.volume(node) / "log").exists()


def voters(nodes: Nodes, at: int = 0) -> dict[int, str]:
    """Return who votes, each with the id of its volume."""
    (found,) = re.findall(
        r"CurrentVoters: +(\[.*\])", nodes.ask("kafka-metadata-quorum.sh", "describe", "--status", at=at)
    )
    return {one["id"]: one["directoryId"] for one in json.loads(found)}
