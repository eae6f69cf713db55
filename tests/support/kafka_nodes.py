"""Nodes of Kafka as processes on this machine, by the chart's very script and the variables that it renders."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from devstack.downloads import kafka_classpath, kafka_tools
from devstack.java import java
from devstack.ports import free_port
from devstack.server import quiet
from tests.support.certificates import Authority
from tests.support.wait import eventually
from tests.unit.chart.rendering import objects, pod_specs, variables

_PORTS = (9092, 9093, 9094, 9095)
_TOOLS = {
    "kafka-storage.sh": "kafka.tools.StorageTool",
    "kafka-server-start.sh": "kafka.Kafka",
    "kafka-cluster.sh": "org.apache.kafka.tools.ClusterTool",
    "kafka-configs.sh": "org.apache.kafka.tools.ConfigCommand",
    "kafka-features.sh": "org.apache.kafka.tools.FeatureCommand",
    "kafka-metadata-quorum.sh": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-reassign-partitions.sh": "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
}
_SMALL = {
    "KAFKA_HEAP_OPTS": "-Xmx256m",
    "KAFKA_LOG_CLEANER_DEDUPE_BUFFER_SIZE": "4194304",
    "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
    "KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
    "KAFKA_BROKER_SESSION_TIMEOUT_MS": "4000",
}
"""What lets three of them fit on one machine, and has one that was killed be noticed soon."""
_PROPERTY = re.compile(r"KAFKA_(?!\w*OPTS)")
_READY_SECONDS = 240
_STOP_SECONDS = 40


@cache
def _rendered(nodes: int) -> dict[str, dict[str, Any]]:
    """Return the pods of the chart with so many nodes."""
    return pod_specs(objects(values={"kafka.nodes": nodes}))


class Nodes:
    """Up to three nodes, each with a folder of its own below ``folder``."""

    def __init__(self, folder: Path) -> None:
        """Give each node ports, and all of them certificates of one authority."""
        self._folder = folder
        self._ports = {(node, port): free_port() for node in range(3) for port in _PORTS}
        self._running: dict[int, subprocess.Popen[bytes]] = {}
        authority = Authority("kafka")
        for principal in ("broker", "deployer"):
            tls = folder / principal
            tls.mkdir(parents=True)
            authority.sign("127.0.0.1", common_name=principal).write(tls)
            (tls / "ca.crt").write_bytes(authority.certificate)
        self._make_programs()

    def _make_programs(self) -> None:
        options = ["-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]
        runtime = java(heap="256m", scratch=self._folder / "scratch", options=options)
        runtime += ["$KAFKA_HEAP_OPTS", "-cp", f"{kafka_tools(quiet)}:{kafka_classpath(quiet)}"]
        texts = {name: f'#!/bin/bash\nexec {" ".join(runtime)} {of} "$@"\n' for name, of in _TOOLS.items()}
        (self._folder / "bin").mkdir()
        for name, text in texts.items():
            program = self._folder / "bin" / name
            program.write_text(text)
            program.chmod(0o755)

    def address(self, node: int, port: int = 9094) -> str:
        """Return where the node's ``port`` of the chart is on this machine."""
        return f"127.0.0.1:{self._ports[node, port]}"

    def volume(self, node: int) -> Path:
        """Return the node's volume."""
        return self._folder / str(node) / "volume"

    def cluster(self, node: int) -> str:
        """Return the id of the cluster that a node's volume is of."""
        return self._written(node, "cluster.id")

    def directory(self, node: int) -> str:
        """Return the id that a node's volume was given."""
        return self._written(node, "directory.id")

    def _written(self, node: int, key: str) -> str:
        text = (self.volume(node) / "log" / "meta.properties").read_text()
        return dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))[key]

    def log(self, node: int) -> str:
        """Return what the node has said since its last start."""
        return (self._folder / str(node) / "said").read_text()

    def client(self, *nodes: int) -> dict[str, str | int | float | bool]:
        """Return the settings of a client that may do anything, at ``nodes``; at all of them where none is given."""
        tls = self._folder / "deployer"
        return {
            "bootstrap.servers": ",".join(self.address(node) for node in nodes or range(3)),
            "security.protocol": "SSL",
            "ssl.ca.location": str(tls / "ca.crt"),
            "ssl.certificate.location": str(tls / "tls.crt"),
            "ssl.key.location": str(tls / "tls.key"),
            "log_level": 0,
        }

    def start(self, *started: int, nodes: int = 3, **also: str) -> None:
        """Start these nodes of so many, each with the variables ``also`` beside the chart's."""
        (container,) = _rendered(nodes)["demo-kafka"]["containers"]
        for node in started:
            own = self._folder / str(node)
            self._make_folders(own)
            (own / "scratch" / "in-sync").unlink(missing_ok=True)  # as the script does at once
            settings = self._settings(node, nodes) | also
            self._running[node] = self._launch(container["command"], own, "broker", settings)

    @staticmethod
    def _make_folders(own: Path) -> None:
        for name in ("scratch", "secured", "volume"):
            (own / name).mkdir(parents=True, exist_ok=True)

    def _settings(self, node: int, nodes: int) -> dict[str, str]:
        """Return the variables of one node of so many, with this machine's addresses and folders in them."""
        (container,) = _rendered(nodes)["demo-kafka"]["containers"]
        pod = {"POD_NAME": f"demo-kafka-{node}", "KAFKA_NODE_ID": str(node), "KAFKA_BROKER_RACK": ""}
        given = {**variables(container), **pod, **_SMALL}
        return {name: self._here(value, node) for name, value in given.items()}

    def start_earlier(self, node: int, nodes: int = 1) -> None:
        """Start a node as the version before did: with voters in its settings, on a volume that its image formatted."""
        own = self._folder / str(node)
        self._make_folders(own)
        (own / "secured" / "keys.pem").write_bytes(
            b"".join((self._folder / "broker" / f"tls.{end}").read_bytes() for end in ("key", "crt"))
        )
        settings = self._settings(node, nodes)
        del settings["KAFKA_CONTROLLER_QUORUM_BOOTSTRAP_SERVERS"], settings["KAFKA_BROKER_RACK"]
        voters = [f"{voter}@{self.address(voter, 9093)}" for voter in range(nodes)]
        settings["KAFKA_CONTROLLER_QUORUM_VOTERS"] = ",".join(voters)
        lines = [f"{_property(name)}={value}" for name, value in settings.items() if _PROPERTY.match(name)]
        (own / "earlier.properties").write_text("\n".join(lines))
        programs, cluster = self._folder / "bin", "5L6g3nShT-eMCtK--X86sw"
        made = f"{programs}/kafka-storage.sh format --cluster-id {cluster} --config {own}/earlier.properties"
        command = f"{made} && exec {programs}/kafka-server-start.sh {own}/earlier.properties"
        self._running[node] = self._launch(["bash", "-c", command], own, "broker", settings)

    def copies(self, nodes: int = 3) -> str:
        """Run what the chart runs before it makes topics; return what it says."""
        (spec,) = (one for name, one in _rendered(nodes).items() if name.startswith("demo-contracts"))
        (container,) = spec["initContainers"]
        own = self._folder / "copies"
        (own / "scratch").mkdir(parents=True, exist_ok=True)
        settings = {**variables(container), "BROKERS": self.client()["bootstrap.servers"]}
        done = self._launch(container["command"], own, "deployer", settings)
        try:
            status = done.wait(_READY_SECONDS)
        finally:
            self._kill(done)
        said = (own / "said").read_text()
        assert status == 0, said
        return said

    def _launch(
        self, command: list[str], own: Path, principal: str, settings: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        paths = {"TLS": self._folder / principal, "SECURED": own / "secured", "SCRATCH": own / "scratch"}
        paths["BIN"] = self._folder / "bin"
        ours = {f"ORDER_SAGA_{name}": str(path) for name, path in paths.items()}
        environment = {**settings, **ours, "PATH": os.environ["PATH"]}
        with (own / "said").open("wb") as said:
            return subprocess.Popen(command, env=environment, stdout=said, stderr=said, start_new_session=True)

    def _here(self, value: str, node: int) -> str:
        """Return a variable's value of the chart with this machine's addresses and folders in it."""
        own = self._folder / str(node)
        value = value.replace("$(POD_NAME)", f"demo-kafka-{node}")
        named = r"demo-kafka-(\d)\.demo-kafka-nodes(?:\.shop\.svc)?:(\d+)"
        value = re.sub(named, lambda found: self.address(int(found[1]), int(found[2])), value)
        value = re.sub(r"//:(\d+)", lambda found: f"//{self.address(node, int(found[1]))}", value)
        value = value.replace("/secured/", f"{own}/secured/").replace("/tls/", f"{self._folder}/broker/")
        return value.replace("/var/lib/kafka/data", str(self.volume(node)))

    def must_be_in_sync(self, *nodes: int) -> None:
        """Wait until these nodes say that they are ready."""

        def all_are() -> None:
            for node in nodes:
                assert self._running[node].poll() is None, self.log(node)
                assert (self._folder / str(node) / "scratch" / "in-sync").exists(), self.log(node)

        eventually(all_are, _READY_SECONDS, every=0.2)

    def must_say(self, node: int, text: str) -> None:
        """Wait until this node says something."""

        def does() -> None:
            assert text in self.log(node), self.log(node)

        eventually(does, _READY_SECONDS, every=0.2)

    def ask(self, tool: str, *options: str, at: int = 0) -> str:
        """Return what one of Kafka's tools says of the controllers, as a node asks."""
        settings = self._folder / str(at) / "scratch" / "client.properties"
        address = ["--bootstrap-controller", self.address(at, 9093), "--command-config", str(settings)]
        command = [str(self._folder / "bin" / tool), *address, *options]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout

    def stop(self, *nodes: int) -> None:
        """End these nodes as Kubernetes does, one after the other."""
        for node in nodes:
            process = self._running.pop(node)
            process.terminate()
            process.wait(_STOP_SECONDS)
            self._kill(process)

    def cut(self, *nodes: int) -> None:
        """Cut the power of these nodes, at once."""
        for process in [self._running.pop(node) for node in nodes]:
            self._kill(process)

    def lose(self, *nodes: int) -> None:
        """Lose the volumes of these nodes, which do not run."""
        for node in nodes:
            shutil.rmtree(self.volume(node))

    @staticmethod
    def _kill(process: "subprocess.Popen[bytes]") -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(_STOP_SECONDS)

    @property
    def running(self) -> tuple[int, ...]:
        """The nodes that were started and not ended."""
        return tuple(self._running)


def _property(variable: str) -> str:
    """Return the setting that a variable of the image says."""
    name = variable.removeprefix("KAFKA_").lower().replace("___", "-").replace("__", "%")
    return name.replace("_", ".").replace("%", "_")


@contextmanager
def kafka_nodes(folder: Path) -> Iterator[Nodes]:
    """Yield nodes, none of which runs yet, and end those that do at the end."""
    nodes = Nodes(folder)
    try:
        yield nodes
    finally:
        nodes.cut(*nodes.running)
