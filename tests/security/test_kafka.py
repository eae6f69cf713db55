"""Kafka is closed: who has no login gets nowhere, and who has one does what the manifests say and nothing else."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from devstack.errors import DevstackError
from devstack.security import DEPLOYER
from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.kafka import group_owner
from sagakit.service.access import CONSOLE, OPERATORS, REPLAY, Access, read_access
from sagakit.service.deploy import grant_access
from tests.support.logins import client_of, with_certificate, write
from tests.support.shop import COMPLETED, Shop
from tests.support.sql import query
from tests.support.wait import eventually
from tools.paths import SCHEMAS
from tools.schemas import read_topics

TOPICS = sorted(read_topics(SCHEMAS))
SERVICES: dict[str, Access] = {one.name: one for one in read_access(SCHEMAS)}
FORGED = "complete-order-command"
FORBIDDEN = {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED}
_SECONDS = 15


def read(stack: Stack, principal: str, topic: str) -> KafkaError | None:
    """Read a topic's first message; return why it is not given, None where it is, or where there is none."""
    group = principal if principal in NAMES else NAMES[0]  # one that the principal may ask about
    consumer = Consumer({**client_of(stack, principal), "group.id": group, "enable.partition.eof": True})
    try:
        hidden: KafkaError | None = consumer.list_topics(topic, timeout=_SECONDS).topics[topic].error
        if hidden is not None:
            return hidden
        consumer.assign([TopicPartition(topic, 0, 0)])
        message = consumer.poll(_SECONDS)
        assert message is not None
        error = message.error()
        ended = error is not None and error.code() == KafkaError._PARTITION_EOF  # noqa: SLF001 - its public name
        return None if ended else error
    finally:
        consumer.close()


def code_of(refused: KafkaException) -> int:
    error: KafkaError = refused.args[0]
    return error.code()


def test_product_svc_cannot_forge_a_command_to_complete_an_order(closed_stack: Stack) -> None:
    refused = write(client_of(closed_stack, "product_svc"), FORGED)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize("service", NAMES)
def test_a_service_writes_none_but_its_outputs_and_its_own_dead_letters(closed_stack: Stack, service: str) -> None:
    client = client_of(closed_stack, service)
    others = {*TOPICS, *(f"{name}.dlq" for name in NAMES), "kafkasql-journal", "__consumer_offsets"}
    for topic in sorted(others - {*SERVICES[service].writes, f"{service}.dlq"}):
        refused = write(client, topic)
        assert refused is not None, topic
        assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, topic


@pytest.mark.parametrize("service", NAMES)
def test_a_service_reads_none_but_its_inputs(closed_stack: Stack, service: str) -> None:
    mine = SERVICES[service]
    for topic in sorted({*TOPICS, f"{service}.dlq", "product_svc.dlq"} - {*mine.reads, *mine.rereads}):
        refused = read(closed_stack, service, topic)
        assert refused is not None, topic
        assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, topic
    assert {read(closed_stack, service, topic) for topic in (*mine.reads, *mine.rereads)} == {None}


def test_a_service_sees_no_topic_that_it_has_nothing_to_do_with(closed_stack: Stack) -> None:
    seen = AdminClient(client_of(closed_stack, "product_svc")).list_topics(timeout=_SECONDS).topics
    assert set(seen) == {"decrease-product-command", "product-decreased", "product_svc.dlq", "consumer-group-claims"}


def test_a_service_is_a_member_of_no_other_group_and_moves_none(closed_stack: Stack) -> None:
    client = client_of(closed_stack, "product_svc")
    admin, asked = AdminClient(client), ConsumerGroupTopicPartitions("delivery_svc")
    with pytest.raises(KafkaException) as refused:
        admin.list_consumer_group_offsets([asked], request_timeout=_SECONDS)["delivery_svc"].result(_SECONDS)
    assert code_of(refused.value) == KafkaError.GROUP_AUTHORIZATION_FAILED
    back = ConsumerGroupTopicPartitions("delivery_svc", [TopicPartition("create-delivery-command", 0, 0)])
    moved = admin.alter_consumer_group_offsets([back], request_timeout=_SECONDS)
    with pytest.raises(KafkaException) as refused:
        moved["delivery_svc"].result(_SECONDS)
    assert code_of(refused.value) == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_a_forged_claim_of_a_group_stops_nobody_who_runs_and_an_operator_takes_it_back(closed_stack: Stack) -> None:
    """This one is left: a service can claim another's group, and cannot be its member."""
    service = closed_stack.service("delivery_svc")
    ((found,),) = query(service.dsn, "SELECT installation_id FROM installation")
    ours, nobody = str(found), str(uuid.UUID(int=0))
    try:
        group_owner.hand_over(client_of(closed_stack, "product_svc"), "delivery_svc", nobody)
        must_complete_an_order(closed_stack)
        service.stop()
        with pytest.raises(DevstackError, match=f"belongs to installation {nobody}.* claim delivery_svc {ours}"):
            service.start()
    finally:
        group_owner.hand_over(client_of(closed_stack, OPERATORS), "delivery_svc", ours)
        service.start()
    must_complete_an_order(closed_stack)


def must_complete_an_order(stack: Stack) -> None:
    with Shop(stack) as shop:
        assert shop.final(shop.place(shop.product()), 60).status == COMPLETED


def _makes_a_topic(admin: AdminClient) -> None:
    admin.create_topics([NewTopic("mine", 1, 1)])["mine"].result(_SECONDS)


def _removes_a_topic(admin: AdminClient) -> None:
    admin.delete_topics(["product-decreased"])["product-decreased"].result(_SECONDS)


def _changes_a_topic(admin: AdminClient) -> None:
    change = ConfigEntry("retention.ms", "1", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, "product-decreased", incremental_configs=[change])
    admin.incremental_alter_configs([resource])[resource].result(_SECONDS)


def _grants_itself(admin: AdminClient) -> None:
    mine = _binding("product_svc", FORGED)
    admin.create_acls([mine])[mine].result(_SECONDS)


def _makes_a_login(admin: AdminClient) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    admin.alter_user_scram_credentials([UserScramCredentialUpsertion(DEPLOYER, info, b"known")])[DEPLOYER].result()


@pytest.mark.parametrize(
    "attack",
    [
        _makes_a_topic,
        _removes_a_topic,
        _changes_a_topic,
        _grants_itself,
        _makes_a_login,
    ],
)
@pytest.mark.parametrize("principal", ["product_svc", OPERATORS, CONSOLE, REPLAY])
def test_nobody_administers_but_the_deployer(
    closed_stack: Stack, principal: str, attack: Callable[[AdminClient], None]
) -> None:
    with pytest.raises(KafkaException) as refused:
        attack(AdminClient(client_of(closed_stack, principal)))
    assert refused.value.args[0].name().endswith("_AUTHORIZATION_FAILED")


def test_nobody_sees_what_others_are_granted_but_the_deployer(closed_stack: Stack) -> None:
    clients = {
        name: AdminClient(client_of(closed_stack, name)) for name in ("product_svc", OPERATORS, REPLAY, DEPLOYER)
    }
    seen = {name: client.describe_acls(_acls()).result(_SECONDS) for name, client in clients.items()}
    assert [name for name, acls in seen.items() if acls] == [DEPLOYER]


@pytest.mark.parametrize("topic", TOPICS)
def test_operators_send_no_message_of_the_business_and_read_none(closed_stack: Stack, topic: str) -> None:
    client = client_of(closed_stack, OPERATORS)
    for refused in (write(client, topic), read(closed_stack, OPERATORS, topic)):
        assert refused is not None
        assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


@pytest.mark.parametrize("topic", TOPICS)
def test_the_console_reads_each_message_of_the_business_and_sends_none(closed_stack: Stack, topic: str) -> None:
    refused = write(client_of(closed_stack, CONSOLE), topic)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    assert read(closed_stack, CONSOLE, topic) is None


def test_a_replay_sends_to_no_topic_that_nobody_consumes(closed_stack: Stack) -> None:
    client = client_of(closed_stack, REPLAY)
    for topic in ("consumer-group-claims", "kafkasql-journal", "__consumer_offsets"):
        refused = write(client, topic)
        assert refused is not None, topic


@pytest.mark.parametrize(
    "other",
    [
        {"security.protocol": "PLAINTEXT"},
        {"security.protocol": "SSL"},
        {"security.protocol": "SASL_PLAINTEXT"},
        {"sasl.mechanism": "PLAIN"},
        {"sasl.mechanism": "SCRAM-SHA-256"},
        {"sasl.password": "geheim"},
        {"sasl.username": "User:deployer"},
        {"sasl.username": "nobody"},
        {"ssl.ca.location": "/etc/ssl/certs/ca-certificates.crt"},
    ],
    ids=str,
)
def test_without_tls_and_a_login_nobody_gets_an_answer(closed_stack: Stack, other: dict[str, str]) -> None:
    client = {**client_of(closed_stack, "product_svc"), **other}
    if not str(client["security.protocol"]).startswith("SASL"):
        client = {name: value for name, value in client.items() if not name.startswith("sasl.")}
    with pytest.raises(KafkaException):
        AdminClient(client).list_topics(timeout=3)


def own_listeners(stack: Stack) -> list[str]:
    """Return the addresses at which the brokers and the controllers talk among themselves."""
    record = stack.state["kafka"]
    assert isinstance(record, dict)
    return [f"127.0.0.1:{record[name]}" for name in ("brokers", "controller")]


def test_without_a_certificate_nobody_gets_an_answer_where_brokers_talk(closed_stack: Stack) -> None:
    shown = with_certificate(closed_stack.security, "product_svc", "")
    for address in own_listeners(closed_stack):
        for hidden in ({"security.protocol": "PLAINTEXT"}, {}):
            bare = {name: value for name, value in shown.items() if name not in _PAIR}
            with pytest.raises(KafkaException):
                AdminClient({**bare, **hidden, "bootstrap.servers": address}).list_topics(timeout=3)


_PAIR = ("ssl.certificate.location", "ssl.key.location")


def test_a_service_s_certificate_lets_it_do_no_more_where_brokers_talk(closed_stack: Stack) -> None:
    brokers, _ = own_listeners(closed_stack)
    refused = write(with_certificate(closed_stack.security, "product_svc", brokers), FORGED)
    assert refused is not None
    assert refused.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def _binding(principal: str, topic: str) -> AclBinding:
    return AclBinding(
        ResourceType.TOPIC,
        topic,
        ResourcePatternType.LITERAL,
        f"User:{principal}",
        "*",
        AclOperation.WRITE,
        AclPermissionType.ALLOW,
    )


@pytest.fixture
def admin(closed_stack: Stack) -> Iterator[AdminClient]:
    """An administrator; what was granted meanwhile is taken away in the end."""
    admin = AdminClient(client_of(closed_stack, DEPLOYER))
    yield admin
    grant_access(admin, SCHEMAS)
    for future in admin.delete_acls([_acls("guest")]).values():
        future.result(_SECONDS)


def _acls(principal: str | None = None, topic: str | None = None) -> AclBindingFilter:
    """Return the filter that finds the ACLs of a principal for a topic, of each where it is None."""
    user: Any = f"User:{principal}" if principal else None  # its types ask for what may be left out
    name: Any = topic
    anywhere: Any = None
    where = (ResourceType.ANY, name, ResourcePatternType.ANY)
    return AclBindingFilter(*where, user, anywhere, AclOperation.ANY, AclPermissionType.ANY)


def test_a_deployment_takes_away_what_is_granted_no_longer_and_lets_others_be(
    closed_stack: Stack, admin: AdminClient
) -> None:
    given = [_binding("product_svc", FORGED), _binding("guest", FORGED)]
    for future in admin.create_acls(given).values():
        future.result(_SECONDS)

    def granted() -> None:
        assert [
            len(admin.describe_acls(_acls(name, FORGED)).result(_SECONDS)) for name in ("product_svc", "guest")
        ] == [1, 1]

    eventually(granted)
    grant_access(admin, SCHEMAS)

    def taken_away() -> None:
        assert [
            len(admin.describe_acls(_acls(name, FORGED)).result(_SECONDS)) for name in ("product_svc", "guest")
        ] == [0, 1]

    eventually(taken_away)
    refused = write(client_of(closed_stack, "product_svc"), FORGED)
    assert refused is not None
