"""The script of a node of Kafka, with programs in the place of Kafka's that only say what they were told."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from devstack.ports import free_port
from tests.support.wait import eventually
from tools.chart_readme import CHART

PROGRAMS = {
    "kafka-storage.sh": 'folder=$(sed -n "s/^log.dirs=//p" "$3" | tail -1) && mkdir -p "$folder" && '
    ': >"$folder/meta.properties"',
    "kafka-cluster.sh": '[ ! -e "$ORDER_SAGA_SCRATCH/formed" ] || echo "Cluster ID: 5L6g3nShT-eMCtK--X86sw"',
    "kafka-server-start.sh": 'echo $$ >"$ORDER_SAGA_SCRATCH/$(basename "$1").pid"; exec sleep 600',
    "kafka-features.sh": "exit 0",
}


@contextmanager
def started(folder: Path, port: int) -> Iterator[Path]:
    """Run the script as node 1 of two, of which node 0 is at ``port``; yield the folder in which its programs write."""
    scratch = folder / "scratch"
    for name in ("bin", "tls", "secured", "scratch", "volume"):
        (folder / name).mkdir()
    for name in ("tls.key", "tls.crt", "ca.crt"):
        (folder / "tls" / name).write_text("pem")
    for name, text in PROGRAMS.items():
        (folder / "bin" / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / "bin" / name).chmod(0o755)
    own, says = free_port(), free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "KAFKA_NODE_ID": "1",
        "KAFKA_LOG_DIRS": str(folder / "volume" / "log"),
        **{f"ORDER_SAGA_{name.upper()}": str(folder / name) for name in ("bin", "tls", "secured", "scratch")},
        "KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS": f"127.0.0.1:{port},127.0.0.1:{own}",
        "NEW_NODES": f"127.0.0.1:1,127.0.0.1:{says}",
        "KAFKA_LISTENERS": f"CLIENTS://127.0.0.1:{own},CONTROLLER://127.0.0.1:{own}",
        "KAFKA_ADVERTISED_LISTENERS": f"BROKERS://127.0.0.1:{own}",
    }
    command = ["bash", "-c", (CHART / "files" / "kafka.sh").read_text()]
    with (folder / "said").open("w") as said:
        running = subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)
    try:
        yield scratch
    finally:
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)
        running.wait()


def pid(file: Path) -> int:
    """Return the number that stands in a file, once it does."""

    def written() -> int:
        assert file.exists()
        assert file.read_text().endswith("\n")
        return int(file.read_text())

    return eventually(written, 30)


def runs(process: int) -> bool:
    """Say whether there is such a process."""
    with suppress(ProcessLookupError):
        os.kill(process, 0)
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    return False


@pytest.mark.timeout(90)
def test_what_says_that_a_volume_is_new_has_ended_when_the_volume_is_no_longer(tmp_path: Path) -> None:
    """Else a node 0 that has lost its volume would be told so, and form a second cluster."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as node_0,
        started(tmp_path, node_0.getsockname()[1]) as scratch,
    ):
        saying = pid(scratch / "new.properties.pid")
        assert runs(saying)
        (scratch / "formed").touch()
        kafka = pid(scratch / "server.properties.pid")
        assert runs(kafka)
        assert not runs(saying)


@pytest.mark.parametrize("changed", ["tls.crt", "tls.key", "ca.crt"])
@pytest.mark.timeout(90)
def test_kafka_is_started_again_with_another_certificate_and_with_another_authority(
    tmp_path: Path, changed: str
) -> None:
    """Else the others could not show certificates of an authority that is new, as the node would not believe them."""
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as node_0,
        started(tmp_path, node_0.getsockname()[1]) as scratch,
    ):
        (scratch / "formed").touch()
        assert runs(pid(scratch / "server.properties.pid"))
        (tmp_path / "tls" / changed).write_text("another")

        def ends() -> None:
            assert "has changed: Kafka is ended in 120 seconds" in (tmp_path / "said").read_text()

        eventually(ends, 30)
