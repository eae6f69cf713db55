"""From the release before, whose three nodes of Kafka talk in the clear, to this version, where none does."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import before
from tests.cluster.before import fingerprint
from tests.cluster.release import NAME, Load, Release, typed

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
