"""Create the topics and register the schemas of a contracts folder: ``python -m sagakit.service.deploy schemas``.

It is a deployment's job, and safe to repeat; services themselves register nothing. The folder holds ``topics.yaml``
and, in a folder named after each topic, the Avro record types that are allowed on it. With ``--acls`` Kafka's ACLs are
made what ``access.yaml`` there grants to each service.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from sagakit.avro.registry import ask
from sagakit.avro.schema_ids import subject_of
from sagakit.avro.settings import RegistrySettings
from sagakit.dead_letters.letter import topic_of
from sagakit.errors import Unavailable
from sagakit.kafka import group_owner
from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime import logs
from sagakit.runtime.settings import read as read_settings
from sagakit.runtime.waiting import wait_until_up
from sagakit.service import access, acls

log = logs.logger("deploy")

_COMPATIBILITY = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE)
_SERVER_ERROR = 500


class DeploySettings(KafkaSettings, RegistrySettings):
    """The settings that a deployment reads from the environment."""


def topics_of(folder: Path, replicas: int | None = None) -> list[NewTopic]:
    """Return every topic of the contracts in ``folder``.

    These are the contracts' own topics, a dead-letter topic for each group, and the topic of the groups' owners.

    ``replicas`` overrides the contracts' number of replicas.
    """
    contracts = yaml.safe_load((folder / "topics.yaml").read_text())
    topics = [
        _topic(name, topic, replicas, {"retention.ms": str(topic["retention_ms"]), **_largest(topic)})
        for name, topic in contracts["topics"].items()
    ]
    topics.append(_topic(group_owner.TOPIC, contracts["claims"], replicas, {"cleanup.policy": "compact"}))
    parked = contracts["dead_letters"]
    compact = {"cleanup.policy": "compact", **_largest(parked)}
    return topics + [_topic(topic_of(group), parked, replicas, compact) for group in contracts["consumer_groups"]]


def _topic(name: str, shape: dict[str, Any], replicas: int | None, config: dict[str, str]) -> NewTopic:
    return NewTopic(name, shape["partitions"], replicas or shape["replication_factor"], config=config)


def _largest(shape: dict[str, Any]) -> dict[str, str]:
    return {"max.message.bytes": str(shape["max_message_bytes"])}


def create_topics(admin: AdminClient, topics: list[NewTopic]) -> None:
    """Create those of ``topics`` that do not exist; leave the others as they are.

    Raises:
        Unavailable: the brokers cannot be reached, or cannot create a topic now.
    """
    for name, future in admin.create_topics(topics, request_timeout=10).items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                msg = f"topic {name}: {error}"
                raise Unavailable(msg) from error
        else:
            log.info("topic created", topic=name)


def register_schemas(registry: SchemaRegistryClient, folder: Path) -> None:
    """Register every record type of ``folder`` under its subject, with FULL_TRANSITIVE compatibility.

    Raises:
        SchemaRegistryError: the registry refuses one, because it is not compatible with its earlier versions.
        Unavailable: the registry cannot be reached.
    """
    for path in sorted(folder.glob("*/*.avsc")):
        schema = json.loads(path.read_text())
        subject = subject_of(path.parent.name, f"{schema['namespace']}.{schema['name']}")
        try:
            text = Schema(json.dumps(schema, separators=(",", ":")), "AVRO")
            schema_id = ask(int, registry.register_schema, subject, text)
            ask(dict, registry.set_config, subject, _COMPATIBILITY)
        except (SchemaRegistryError, TransportError) as error:
            if isinstance(error, SchemaRegistryError) and error.http_status_code < _SERVER_ERROR:
                raise
            msg = f"the schema registry cannot be reached: {error}"
            raise Unavailable(msg) from error
        log.info("schema registered", subject=subject, id=schema_id)


def grant_access(admin: AdminClient, folder: Path) -> None:
    """Make Kafka's ACLs what the contracts in ``folder`` grant. Raises what `sagakit.service.acls.apply` does."""
    services = access.read_access(folder)
    registry = access.registry_access(yaml.safe_load((folder / "topics.yaml").read_text()))
    acls.apply(admin, access.grants(services, registry), access.principals(services))


def deploy(read: DeploySettings, folder: Path, replicas: int | None = None, *, with_acls: bool = False) -> None:
    """Create topics and register schemas; wait up to five minutes for servers that are still starting.

    ``with_acls`` says whether Kafka's ACLs are made as well, before the registry is needed, which may need them itself.

    Raises:
        Unavailable: the servers did not come up.
        SchemaRegistryError: a schema is refused.
        AclsRefused: the brokers keep no ACLs, or do not let us change them.
    """
    admin = AdminClient(read.kafka_client())
    with SchemaRegistryClient(read.registry_client()) as registry:

        def attempt() -> None:
            create_topics(admin, topics_of(folder, replicas))
            if with_acls:
                grant_access(admin, folder)
            register_schemas(registry, folder)

        wait_until_up(attempt, Unavailable, log)


def main() -> None:
    """Run as a command; on failure exit with 1 and one line."""
    parser = argparse.ArgumentParser(prog="python -m sagakit.service.deploy", description=__doc__)
    parser.add_argument("folder", type=Path, help="the contracts, such as schemas")
    parser.add_argument("--replication-factor", type=int, metavar="N", help="of each topic, instead of the contracts'")
    parser.add_argument("--acls", action="store_true", help="make Kafka's ACLs as well: who may read and write what")
    arguments = parser.parse_args()
    folder = arguments.folder
    if not (folder / "topics.yaml").is_file():
        sys.exit(f"{folder / 'topics.yaml'}: no such file")
    read = read_settings(DeploySettings)
    logs.configure("deploy", "INFO", "auto")
    try:
        deploy(read, folder, arguments.replication_factor, with_acls=arguments.acls)
    except (Unavailable, SchemaRegistryError, acls.AclsRefused) as error:
        sys.exit(f"not deployed: {error}")


if __name__ == "__main__":
    main()
