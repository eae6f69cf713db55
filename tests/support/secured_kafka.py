"""A Kafka of its own that speaks TLS, and lets in whom its ACLs name by the certificate that is shown."""

import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from devstack.downloads import kafka_classpath
from devstack.java import environment, java
from devstack.ports import free_port
from devstack.server import quiet
from tests.support.certificates import Authority, Pair
from tests.support.wait import eventually

_READY_SECONDS = 90
_STOP_SECONDS = 30
_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{secured},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{plain},SSL://127.0.0.1:{secured}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
log.dirs={folder}/data
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
ssl.client.auth=required
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/trusted.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class SecuredKafka:
    """One broker: in the clear for the test itself, which may do everything, by TLS for those who are tested."""

    def __init__(self) -> None:
        self._ports = {name: free_port() for name in ("plain", "secured", "controller")}
        self.bootstrap, self.secured = (f"127.0.0.1:{self._ports[name]}" for name in ("plain", "secured"))

    @contextmanager
    def running(self, folder: Path, own: Pair, believed: list[Authority]) -> Iterator[None]:
        """Run it in ``folder`` until the block ends, with ``own``, believing clients of ``believed``."""
        (folder / "server.pem").write_bytes(own.key + own.certificate)
        (folder / "trusted.pem").write_bytes(b"".join(authority.certificate for authority in believed))
        properties = folder / "server.properties"
        properties.write_text(_PROPERTIES.format(folder=folder, **self._ports))
        classpath = ["-cp", kafka_classpath(quiet)]
        command = [*java(heap="384m", scratch=folder / "scratch", options=["-XX:TieredStopAtLevel=1"]), *classpath]
        cluster = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "A", 1)
        making = [*command, "kafka.tools.StorageTool", "format", "--standalone", "--cluster-id", cluster]
        subprocess.run([*making, "--config", properties], env=environment(), check=True, capture_output=True)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([*command, "kafka.Kafka", properties], env=environment(), stdout=log, stderr=log)
        try:
            eventually(self._must_answer, _READY_SECONDS)
            yield
        finally:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def allow(self, common_name: str) -> None:
        """Let whoever shows a certificate of this name do everything."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        for future in admin.create_acls(self._acls(common_name)).values():
            future.result(15)

    def forbid(self, common_name: str) -> None:
        """Let that name do nothing any more."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap})
        filters = [AclBindingFilter(*_fields(acl)) for acl in self._acls(common_name)]
        for future in admin.delete_acls(filters).values():
            assert future.result(15)

    def _acls(self, common_name: str) -> list[AclBinding]:
        whom = f"User:CN={common_name}"
        return [
            AclBinding(kind, "*", ResourcePatternType.LITERAL, whom, "*", AclOperation.ALL, AclPermissionType.ALLOW)
            for kind in (ResourceType.TOPIC, ResourceType.GROUP)
        ]

    def _must_answer(self) -> None:
        try:
            AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0}).list_topics(timeout=2)
        except KafkaException as error:
            raise AssertionError(error) from error


def _fields(acl: AclBinding) -> tuple[Any, ...]:
    return (
        acl.restype, acl.name, acl.resource_pattern_type, acl.principal, acl.host, acl.operation, acl.permission_type,
    )  # fmt: skip
