"""Three nodes of Kafka: made of one, lost in turn, and from the release before, whose nodes talk in the clear."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import before
from tests.cluster.before import fingerprint
from tests.cluster.release import NAME, Load, Release, is_ready, typed
from tests.support.wait import eventually
from tools.chart_readme import CHART

ORDERS = 500
NODES = ("--set", "kafka.nodes=3")
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def released(tmp_path: Path) -> Iterator[Release]:
    """The release before, with three nodes."""
    with before.installed(tmp_path, *NODES) as release:
        yield release


def test_three_open_nodes_are_closed_all_together_under_load_as_the_refusal_says(released: Release) -> None:
    present = before.by_this_version(released, *NODES)
    volumes = {one["metadata"]["uid"] for one in present.get("pvc")}
    untouched = fingerprint(present)
    refused = present.upgrade(check=False)
    assert "The nodes of demo-kafka were made by an earlier version, and talk in the clear" in refused
    assert fingerprint(present) == untouched
    (command,) = re.findall(r"^ +(kubectl .+)$", refused, re.MULTILINE)
    load = Load(released, "load-closing", ORDERS, seconds=60)
    load.begun()
    typed(command)
    present.upgrade()
    print(load.must_lose_nothing())  # for whoever asks for it with -s
    assert len(present.pods("kafka")) == 3
    assert {one["metadata"]["uid"] for one in present.get("pvc")} == volumes
    Load(present, "load-closed", ORDERS, seconds=30).must_lose_nothing()
    present.helm("test", NAME, "--timeout", "5m")


def test_one_node_becomes_three_under_load_and_each_of_them_is_lost_in_turn(namespace: Release) -> None:
    namespace.options = ("--values", str(CHART / "values" / "ci.yaml"))
    namespace.install()
    namespace.options += NODES
    load = Load(namespace, "load-growing", ORDERS, seconds=60)
    load.begun()
    namespace.upgrade()
    print(load.must_lose_nothing())  # for whoever asks for it with -s
    eventually(lambda: each_has_three_copies(namespace), 300, every=2)  # the upgrade does not wait for the job
    for node in range(3):
        load = Load(namespace, f"load-without-{node}", ORDERS, seconds=40)
        load.begun()
        lose(namespace, f"{NAME}-kafka-{node}")
        print(node, load.must_lose_nothing())  # the same


def each_has_three_copies(release: Release) -> None:
    said = [
        release.kubectl("logs", f"job/{job['metadata']['name']}", "--container", "copies", check=False)
        for job in release.get("jobs", "--selector", "app.kubernetes.io/component=contracts")
    ]
    assert any("each topic has 3 copies, and a record waits for two" in text for text in said), said


def lose(release: Release, name: str) -> None:
    """Kill a node of Kafka without a warning, and wait until another is ready in its place."""
    chosen = ("pods", "--field-selector", f"metadata.name={name}")
    (former,) = release.get(*chosen)
    release.kubectl("delete", "pod", name, "--force", "--grace-period=0")

    def another_is_ready() -> None:
        (pod,) = release.get(*chosen) or [former]
        assert pod["metadata"]["uid"] != former["metadata"]["uid"]
        assert is_ready(pod)

    eventually(another_is_ready, 300, every=1)
