"""The script that gives topics their copies, with programs in the place of Kafka's that say what a test has written."""

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.wait import eventually
from tools.chart_readme import CHART

PROGRAMS = {
    "kafka-cluster.sh": 'for node in 0 1 2; do echo "$node  node-$node  9094  null  unfenced  broker "; done',
    "kafka-topics.sh": 'cat "$ORDER_SAGA_SCRATCH/described"',
    "kafka-reassign-partitions.sh": "exit 1",  # nothing is to be moved, or is moved already
    "kafka-configs.sh": 'echo "$@" >>"$ORDER_SAGA_SCRATCH/configured"',
}


def described(in_sync: str, configs: str = "") -> str:
    """Return what Kafka says of a topic that is to be on all nodes, of which some are in sync."""
    return (
        f"Topic: orders\tTopicId: x\tPartitionCount: 1\tReplicationFactor: 3\tConfigs: {configs}\n"
        f"\tTopic: orders\tPartition: 0\tLeader: 0\tReplicas: 0,1,2\tIsr: {in_sync}\tElr: \tLastKnownElr: \n"
    )


class Copies:
    """The script as it runs, and the folder in which its programs read and write."""

    def __init__(self, folder: Path) -> None:
        """Write the programs, and what the job's certificate is."""
        self._folder = folder
        for name in ("bin", "tls", "scratch"):
            (folder / name).mkdir()
        for name in ("tls.key", "tls.crt"):
            (folder / "tls" / name).write_text("pem")
        for name, text in PROGRAMS.items():
            (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
            (folder / "bin" / name).chmod(0o755)
        self._running: subprocess.Popen[bytes] | None = None

    def describe(self, text: str) -> None:
        """Have Kafka say this of its topics from now on."""
        new = self._folder / "scratch" / "new"
        new.write_text(text)
        new.rename(self._folder / "scratch" / "described")

    def start(self) -> None:
        """Start the script."""
        folders = {f"ORDER_SAGA_{name.upper()}": str(self._folder / name) for name in ("bin", "tls", "scratch")}
        command = ["bash", "-c", (CHART / "files" / "kafka_copies.sh").read_text()]
        given = {"PATH": os.environ["PATH"], "BROKERS": "node-0:9094", "NODES": "3", **folders}
        with (self._folder / "said").open("w") as said:
            self._running = subprocess.Popen(command, env=given, stdout=said)

    def ends(self) -> int:
        """Return the script's status, once it has ended."""
        assert self._running
        return self._running.wait(30)

    def kill(self) -> None:
        """End the script where it still runs."""
        if self._running and self._running.poll() is None:
            self._running.kill()
            self._running.wait()

    @property
    def said(self) -> str:
        """What the script has said."""
        return (self._folder / "said").read_text()

    @property
    def configured(self) -> list[str]:
        """The settings that it has changed, each as it was asked for."""
        file = self._folder / "scratch" / "configured"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    """The script, which is yet to start."""
    made = Copies(tmp_path)
    yield made
    made.kill()


@pytest.mark.timeout(60)
def test_a_record_waits_for_two_copies_when_there_are_two_and_not_while_they_are_made(copies: Copies) -> None:
    """As after a job that was interrupted: copies under way are among the planned, and nothing is left to ask for."""
    copies.describe(described(in_sync="0"))
    copies.start()

    def waits() -> None:
        assert "waiting until everything has a second copy in sync" in copies.said

    eventually(waits)
    time.sleep(0.5)
    assert copies.configured == []
    copies.describe(described(in_sync="0,2"))
    assert copies.ends() == 0
    assert len(copies.configured) == 1
    assert "min.insync.replicas=2" in copies.configured[0]


@pytest.mark.timeout(60)
def test_a_topic_with_a_number_of_its_own_waits_for_two_as_well(copies: Copies) -> None:
    copies.describe(described(in_sync="2,0,1", configs="cleanup.policy=delete,min.insync.replicas=1"))
    copies.start()
    assert copies.ends() == 0
    assert ["--entity-default" in copies.configured[0], "--entity-name orders" in copies.configured[1]] == [True, True]
