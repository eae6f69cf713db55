"""Apache Kafka in KRaft mode, broker and controller in one process."""

import os
import shutil
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.downloads import kafka_classpath
from devstack.errors import DevstackError
from devstack.java import environment, java
from devstack.kafka_security import CLOSED, OPEN, as_broker, make_logins, put_files
from devstack.layout import Layout
from devstack.ports import choose_port
from devstack.processes import ManagedProcess
from devstack.secrets import make_private
from devstack.security import Security
from devstack.server import Progress, Server, quiet
from devstack.state import State
from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime.settings import read

_READY_SECONDS = 120
_STOP_SECONDS = 30
_HEARTBEATS = 4
"""How many heartbeats a member sends within the session time-out."""
# The folder is named relative to where Kafka is started: a comma in a whole path would end it, and a letter beyond
# Latin-1 be read as another. The session time-out is short, so that a service that was killed is noticed within
# seconds; and no group waits for more members before it begins, which the registry would at every start.
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.consumer.session.timeout.ms={session}
group.consumer.min.session.timeout.ms={session}
group.consumer.heartbeat.interval.ms={heartbeat}
group.consumer.min.heartbeat.interval.ms={heartbeat}
"""


class Kafka(Server):
    """One broker on 127.0.0.1."""

    def __init__(self, layout: Layout, state: State) -> None:
        """Keep its data below ``layout.data``; ``KAFKA_BOOTSTRAP_SERVERS`` names one to use instead."""
        super().__init__(ManagedProcess(state, "kafka", layout.logs / "kafka.log"), _STOP_SECONDS)
        self._folder, self._security = layout.data / "kafka", Security(layout, state)
        self._wanted_port = layout.server_ports.get("kafka", 0)
        self._session = round(layout.session_seconds * 1000)
        self._external = os.environ.get("KAFKA_BOOTSTRAP_SERVERS") if layout.uses_environment else None
        self.external = self._external is not None

    @property
    def bootstrap(self) -> str:
        """Where clients connect, ``host:port``; empty before the first start."""
        return self._external or str(self._process.record.get("bootstrap", ""))

    address = bootstrap

    @property
    def data(self) -> Path:
        """Its data folder, the topics' logs."""
        return self._folder / "data"

    def start(self, progress: Progress = quiet) -> None:
        """Start it where it does not run, and return when it answers."""
        if not self.external and self.pid is None:
            classpath = kafka_classpath(progress)
            progress("starting")
            self._launch(classpath)
        if self.external:
            if not self.ready():
                raise DevstackError(f"no Kafka answers at KAFKA_BOOTSTRAP_SERVERS={self._external}")
            return
        self._process.wait_until(self.ready, _READY_SECONDS)
        if self._security.on:
            make_logins(self._security, self._brokers)

    @property
    def _brokers(self) -> str:
        """Where brokers connect in a closed Kafka."""
        return f"127.0.0.1:{self._process.record.get('brokers', '')}"

    def _launch(self, classpath: str) -> None:
        record = self._process.record
        port = choose_port(self._wanted_port, record.get("port", 0), "Kafka", "KAFKA_PORT")
        controller = choose_port(0, record.get("controller", 0), "Kafka's controller", "")
        ports = {"port": port, "controller": controller}
        make_private(self._folder)  # Kafka lets everybody read its files, and they hold all messages and logins
        if self._security.on:
            ports["brokers"] = choose_port(0, record.get("brokers", 0), "Kafka's brokers", "")
            put_files(self._security, self._folder)
        properties = self._folder / "server.properties"
        if not (self.data / "meta.properties").exists():
            making = self._folder / "making"
            shutil.rmtree(making, ignore_errors=True)  # half made
            shutil.rmtree(self.data, ignore_errors=True)
            properties.write_text(self._properties(ports, making))
            self._format(classpath, properties)
            making.rename(self.data)
        properties.write_text(self._properties(ports, self.data))
        command = java(
            heap="512m",
            scratch=self._folder / "scratch",
            options=["-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true"],
        )
        self._process.launch(
            [*command, "-cp", classpath, "kafka.Kafka", properties.name],
            env=environment(),
            cwd=self._folder,
            record={"bootstrap": f"127.0.0.1:{port}", **ports},
        )

    def _properties(self, ports: Mapping[str, int], data: Path) -> str:
        heartbeat = self._session // _HEARTBEATS
        listeners = CLOSED if self._security.on else OPEN
        return (_PROPERTIES + listeners).format(**ports, data=data.name, session=self._session, heartbeat=heartbeat)

    def _format(self, classpath: str, properties: Path) -> None:
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        runtime = java(heap="128m", scratch=self._folder / "scratch", options=["-XX:TieredStopAtLevel=1"])
        command = [*runtime, "-cp", classpath, "kafka.tools.StorageTool"]
        arguments = ["format", "--standalone", "--cluster-id", cluster, "--config", properties.name]
        done = subprocess.run(
            [*command, *arguments], cwd=self._folder, env=environment(), capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise DevstackError(f"Kafka's storage cannot be formatted: {' '.join(done.stderr.split())[-300:]}")

    def _client(self) -> dict[str, str | int | float | bool]:
        if self.external:  # with the security settings that the environment has for it
            return read(KafkaSettings).kafka_client()
        if self._security.on:
            return as_broker(self._security, self._brokers)
        return {"bootstrap.servers": self.bootstrap}

    def ready(self) -> bool:
        """Say whether it answers."""
        try:
            AdminClient({**self._client(), "log_level": 0}).list_topics(timeout=2)
        except KafkaException:
            return False
        return True
