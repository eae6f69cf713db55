"""Create the topics and register the schemas of a contracts folder: ``python -m sagakit.service.deploy schemas``.

It is a deployment's job, and safe to repeat; services themselves register nothing. The folder holds ``topics.yaml``
and, in a folder named after each topic, the Avro record types that are allowed on it. With ``--acls`` Kafka's ACLs are
made what ``access.yaml`` there grants to each service, and with ``--logins`` whoever has a password can log in with it.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from sagakit.avro.registry import ask
from sagakit.avro.schema_ids import subject_of
from sagakit.avro.settings import RegistrySettings
from sagakit.dead_letters.letter import topic_of
from sagakit.errors import Unavailable
from sagakit.families import Family, family_of
from sagakit.kafka import group_owner
from sagakit.kafka.settings import KafkaSettings
from sagakit.runtime import logs
from sagakit.runtime.settings import read as read_settings
from sagakit.runtime.waiting import wait_until_up
from sagakit.service import access, acls, logins
from sagakit.service.refused import DeploymentRefused, answer

log = logs.logger("deploy")

_COMPATIBILITY = ServerConfig(compatibility=ConfigCompatibilityLevel.FULL_TRANSITIVE)
_NO_RIGHT = {401, 403}
_SETTINGS = "the topics' settings"
_DAY = 86_400_000
"""Milliseconds."""
_MOST_DAYS = 3650


class DeploySettings(KafkaSettings, RegistrySettings):
    """The settings that a deployment reads from the environment."""


def topics_of(folder: Path, replicas: int | None = None) -> list[NewTopic]:
    """Return the topics of the contracts in ``folder``, and that of the groups' owners; not those of dead letters.

    ``replicas`` overrides the contracts' number of replicas.
    """
    contracts = _contracts(folder)
    topics = [
        _topic(name, topic, replicas, {"retention.ms": str(topic["retention_ms"]), **_largest(topic)})
        for name, topic in contracts["topics"].items()
    ]
    topics.append(_topic(group_owner.TOPIC, contracts["claims"], replicas, {"cleanup.policy": "compact"}))
    return topics


def dead_letter_topics_of(folder: Path, replicas: int | None = None, days: float | None = None) -> list[NewTopic]:
    """Return the dead-letter topic of each group of the contracts in ``folder``.

    ``replicas`` overrides the contracts' number of replicas, and ``days`` how long letters are kept.
    """
    contracts = _contracts(folder)
    shape = contracts["dead_letters"]
    kept = round(days * _DAY) if days else int(shape["retention_ms"])
    config = {
        "cleanup.policy": "compact,delete",
        "retention.ms": str(kept),
        # A segment goes once its youngest letter is old enough. So the oldest one is a segment's time late.
        "segment.ms": str(min(_DAY, kept)),
        # By the sender's time, one letter from the next century would keep its whole segment until then.
        "message.timestamp.type": "LogAppendTime",
        **_largest(shape),
    }
    return [_topic(topic_of(group), shape, replicas, config) for group in contracts["consumer_groups"]]


def _contracts(folder: Path) -> dict[str, Any]:
    contracts: dict[str, Any] = yaml.safe_load((folder / "topics.yaml").read_text())
    return contracts


def _topic(name: str, shape: dict[str, Any], replicas: int | None, config: dict[str, str]) -> NewTopic:
    return NewTopic(name, shape["partitions"], replicas or shape["replication_factor"], config=config)


def _largest(shape: dict[str, Any]) -> dict[str, str]:
    return {"max.message.bytes": str(shape["max_message_bytes"])}


def create_topics(admin: AdminClient, topics: list[NewTopic]) -> None:
    """Create those of ``topics`` that do not exist; leave the others as they are.

    Raises:
        Unavailable: the brokers cannot be reached, or cannot create a topic now.
        DeploymentRefused: they do not let us create one.
    """
    for name, future in admin.create_topics(topics, request_timeout=10).items():
        error = future.exception()
        if isinstance(error, KafkaException) and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS:
            continue
        answer(future, f"the topic {name}")
        log.info("topic created", topic=name)


def keep_settings(admin: AdminClient, topics: list[NewTopic]) -> None:
    """Give each of ``topics``, all of which exist, the settings that it is listed with; leave its other settings alone.

    Raises:
        Unavailable: the brokers cannot be reached.
        DeploymentRefused: they do not let us change them.
    """
    wanted = {topic.topic: topic.config or {} for topic in topics}
    found = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in wanted], request_timeout=10)
    other = {
        resource.name: [
            ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
            for name, value in wanted[resource.name].items()
            if answer(future, _SETTINGS)[name].value != value
        ]
        for resource, future in found.items()
    }
    changes = [
        ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        for name, entries in other.items()
        if entries
    ]
    for resource, done in (admin.incremental_alter_configs(changes, request_timeout=10) if changes else {}).items():
        answer(done, _SETTINGS)
        log.info("topic's settings changed", topic=resource.name, **{e.name: e.value for e in other[resource.name]})


def register_schemas(registry: SchemaRegistryClient, folder: Path) -> None:
    """Register every record type of ``folder`` under its subject, with FULL_TRANSITIVE compatibility.

    Raises:
        SchemaRegistryError: the registry refuses one, because it is not compatible with its earlier versions.
        DeploymentRefused: it does not let us.
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
            if isinstance(error, SchemaRegistryError) and error.http_status_code in _NO_RIGHT:
                msg = f"the schema registry does not let this login register schemas: {error}"
                raise DeploymentRefused(msg) from error
            if family_of(error) is not Family.PASSING:
                raise
            msg = f"the schema registry cannot be reached: {error}"
            raise Unavailable(msg) from error
        log.info("schema registered", subject=subject, id=schema_id)


def grant_access(admin: AdminClient, folder: Path) -> None:
    """Make Kafka's ACLs what the contracts in ``folder`` grant. Raises what `sagakit.service.acls.apply` does."""
    services = access.read_access(folder)
    registry = access.registry_access(yaml.safe_load((folder / "topics.yaml").read_text()))
    acls.apply(admin, access.grants(services, registry), access.principals(services))


class Otherwise(NamedTuple):
    """In what a deployment differs from its contracts; None keeps to them."""

    replicas: int | None = None
    """Of each topic."""
    dead_letter_days: float | None = None
    """How long dead letters are kept."""


AS_THEY_SAY = Otherwise()
"""A deployment that keeps to its contracts."""


def deploy(
    read: DeploySettings,
    folder: Path,
    otherwise: Otherwise = AS_THEY_SAY,
    *,
    with_acls: bool = False,
    passwords: Mapping[str, str] | None = None,
) -> None:
    """Create topics and register schemas; wait up to five minutes for each server that is still starting.

    ``with_acls`` says whether Kafka's ACLs are made as well, and ``passwords`` has who shall be able to log in. Both
    are done before the registry is needed, which may need them itself. Whoever can log in has its rights by then.

    Raises:
        Unavailable: the servers did not come up.
        SchemaRegistryError: a schema is refused.
        DeploymentRefused: a server does not let us, or the brokers keep no ACLs.
    """
    admin = AdminClient(read.kafka_client())
    with SchemaRegistryClient(read.registry_client()) as registry:

        def prepare_kafka() -> None:
            letters = dead_letter_topics_of(folder, otherwise.replicas, otherwise.dead_letter_days)
            create_topics(admin, topics_of(folder, otherwise.replicas) + letters)
            keep_settings(admin, letters)
            if with_acls:
                grant_access(admin, folder)
            if passwords:
                logins.apply(admin, passwords)

        wait_until_up(prepare_kafka, Unavailable, log)
        wait_until_up(lambda: register_schemas(registry, folder), Unavailable, log)


def main() -> None:
    """Run as a command; on failure exit with 1 and one line."""
    parser = argparse.ArgumentParser(prog="python -m sagakit.service.deploy", description=__doc__)
    parser.add_argument("folder", type=Path, help="the contracts, such as schemas")
    parser.add_argument("--replication-factor", type=int, metavar="N", help="of each topic, instead of the contracts'")
    parser.add_argument(
        "--dead-letter-days", type=_days, metavar="N", help="how long dead letters are kept, instead of the contracts'"
    )
    parser.add_argument("--acls", action="store_true", help="make Kafka's ACLs as well: who may read and write what")
    parser.add_argument(
        "--logins", type=_passwords, metavar="FOLDER", help="make Kafka's logins: a file for each, with its password"
    )
    arguments = parser.parse_args()
    folder = arguments.folder
    if not (folder / "topics.yaml").is_file():
        sys.exit(f"{folder / 'topics.yaml'}: no such file")
    read = read_settings(DeploySettings)
    logs.configure("deploy", "INFO", "auto")
    try:
        deploy(
            read,
            folder,
            Otherwise(arguments.replication_factor, arguments.dead_letter_days),
            with_acls=arguments.acls,
            passwords=arguments.logins,
        )
    except (Unavailable, SchemaRegistryError, DeploymentRefused) as error:
        sys.exit(f"not deployed: {error}")


def _passwords(text: str) -> dict[str, str]:
    try:
        return logins.read_passwords(Path(text))
    except (OSError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days <= _MOST_DAYS:
        msg = f"must be more than 0 and at most {_MOST_DAYS}"
        raise argparse.ArgumentTypeError(msg)
    return days


if __name__ == "__main__":
    main()
