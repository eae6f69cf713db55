"""The contracts as they are deployed: exactly these topics and subjects exist, and incompatible schemas are refused."""

import json
import urllib.request
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from ordersaga.messages import RECORDS, OrderCreated

from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.service.deploy import DeploySettings, Otherwise, deploy
from tests.support.declared import TOPICS
from tests.support.kafka import create_topic, delete_topics
from tests.support.registry import registry_client
from tests.support.scratch import PREFIX
from tests.support.wait import eventually

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"
SUBJECT = f"order-created-{OrderCreated.FULL_NAME}"


@pytest.fixture
def admin(stack: Stack) -> AdminClient:
    return AdminClient({"bootstrap.servers": stack.bootstrap})


@pytest.fixture
def registry(stack: Stack) -> Iterator[SchemaRegistryClient]:
    with registry_client(stack.registry_url) as client:
        yield client


def config_of(admin: AdminClient, kind: ResourceType, name: str) -> dict[str, str]:
    asked = ConfigResource(kind, name)
    (answer,) = admin.describe_configs([asked]).values()
    return {entry.name: entry.value for entry in answer.result(10).values()}


def test_the_topics_the_dead_letters_and_the_claims_exist_and_no_others(admin: AdminClient) -> None:
    found = {name for name in admin.list_topics(timeout=10).topics if not name.startswith((PREFIX, "__"))}
    registrys_own = {name for name in found if name.startswith("kafkasql-") or name == "registry-events"}
    assert found - registrys_own == {*TOPICS, *(f"{service}.dlq" for service in NAMES), "consumer-group-claims"}


def test_no_topic_is_made_by_writing_to_it(stack: Stack, admin: AdminClient) -> None:
    assert config_of(admin, ResourceType.BROKER, "1")["auto.create.topics.enable"] == "false"
    before = set(admin.list_topics(timeout=10).topics)
    producer = Producer({"bootstrap.servers": stack.bootstrap, "message.timeout.ms": 2000})
    producer.produce("no-such-topic", b"x")
    producer.flush(10)
    assert set(admin.list_topics(timeout=10).topics) - {"no-such-topic"} <= before
    fresh = AdminClient({"bootstrap.servers": stack.bootstrap})
    assert "no-such-topic" not in fresh.list_topics(timeout=10).topics


def test_topics_are_shaped_as_the_contracts_say(admin: AdminClient) -> None:
    found = admin.list_topics(timeout=10).topics
    assert {name: len(found[name].partitions) for name in TOPICS} == dict.fromkeys(TOPICS, 6)
    assert {config_of(admin, ResourceType.TOPIC, name)["retention.ms"] for name in TOPICS} == {"604800000"}
    parked = [config_of(admin, ResourceType.TOPIC, f"{service}.dlq") for service in NAMES]
    assert config_of(admin, ResourceType.TOPIC, "consumer-group-claims")["cleanup.policy"] == "compact"
    assert {config["cleanup.policy"] for config in parked} == {"compact,delete"}
    assert {config["retention.ms"] for config in parked} == {"1209600000"}
    assert len(found["consumer-group-claims"].partitions) == 1
    assert {config["max.message.bytes"] for config in parked} == {"4194304"}


def test_each_record_type_is_registered_under_its_topic_and_full_name(registry: SchemaRegistryClient) -> None:
    found = {subject for subject in registry.get_subjects() if not subject.startswith(PREFIX)}
    assert found == {f"{record.TOPIC}-{record.FULL_NAME}" for record in RECORDS}
    assert {record.TOPIC for record in RECORDS} == set(TOPICS)


def test_every_subject_is_full_transitive(stack: Stack) -> None:
    for record in RECORDS:
        url = f"{stack.registry_url}/config/{record.TOPIC}-{record.FULL_NAME}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - always http
            assert json.load(answer)["compatibilityLevel"] == "FULL_TRANSITIVE"


@pytest.mark.parametrize("change", ["removed", "added", "retyped"])
def test_an_incompatible_schema_is_refused_by_the_registry(registry: SchemaRegistryClient, change: str) -> None:
    schema = json.loads(OrderCreated.SCHEMA)
    if change == "removed":
        schema["fields"] = [field for field in schema["fields"] if field["name"] != "price"]
    elif change == "added":
        schema["fields"].append({"name": "colour", "type": "string"})
    else:
        schema["fields"][0]["type"] = "string"
    before = registry.get_versions(SUBJECT)
    with pytest.raises(SchemaRegistryError) as caught:
        registry.register_schema(SUBJECT, Schema(json.dumps(schema), "AVRO"))
    assert caught.value.http_status_code == 409
    assert registry.get_versions(SUBJECT) == before


def test_dead_letter_topics_that_exist_get_their_settings_and_keep_those_that_an_operator_added(
    stack: Stack, admin: AdminClient, tmp_path: Path
) -> None:
    group = f"{PREFIX}{uuid.uuid4().hex[:12]}"
    (tmp_path / "topics.yaml").write_text(
        yaml.safe_dump({**yaml.safe_load((SCHEMAS / "topics.yaml").read_text()), "consumer_groups": [group]})
    )
    create_topic(stack.bootstrap, f"{group}.dlq", config={"cleanup.policy": "compact", "min.compaction.lag.ms": "7"})
    addresses = {"kafka_bootstrap_servers": stack.bootstrap, "schema_registry_url": stack.registry_url}
    read = DeploySettings.model_validate(addresses)

    def has(kept: str) -> None:  # a broker takes a moment until it tells of a change
        config = config_of(admin, ResourceType.TOPIC, f"{group}.dlq")
        assert (config["cleanup.policy"], config["retention.ms"]) == ("compact,delete", kept)
        assert (config["message.timestamp.type"], config["min.compaction.lag.ms"]) == ("LogAppendTime", "7")

    try:
        for days, kept in ((None, "1209600000"), (2.0, "172800000"), (None, "1209600000")):
            deploy(read, tmp_path, Otherwise(dead_letter_days=days))
            eventually(partial(has, kept))
    finally:
        delete_topics(stack.bootstrap, f"{group}.dlq")


def test_deploying_again_changes_nothing(stack: Stack, registry: SchemaRegistryClient) -> None:
    before = {subject: registry.get_versions(subject) for subject in registry.get_subjects()}
    addresses = {"kafka_bootstrap_servers": stack.bootstrap, "schema_registry_url": stack.registry_url}
    deploy(DeploySettings.model_validate(addresses), SCHEMAS)
    assert {subject: registry.get_versions(subject) for subject in registry.get_subjects()} == before
