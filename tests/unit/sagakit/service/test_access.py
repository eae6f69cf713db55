"""Who may do what on Kafka, as it follows from what the services say they read and write."""

from pathlib import Path

import yaml

from devstack.layout import MANIFESTS
from sagakit.kafka import group_owner
from sagakit.kafka.consumed import NEVER_JOINED
from sagakit.service.access import (
    CONSOLE,
    OPERATORS,
    REGISTRY,
    REPLAY,
    Access,
    Grant,
    RegistryAccess,
    grants,
    grants_of,
    principals,
    read_access,
    registry_access,
    write_access,
)
from tools.access import current
from tools.paths import SCHEMAS
from tools.schemas import read_topics

SERVICES = [Access.of(manifest) for manifest in MANIFESTS.values()]
REGISTRY_TOPICS = registry_access(yaml.safe_load((SCHEMAS / "topics.yaml").read_text()))
ALL = grants(SERVICES, REGISTRY_TOPICS)
BOOKS = Access("books", reads=("book",), rereads=("booked",), writes=("booked",))
CARDS = Access("cards", reads=("charge",), rereads=(), writes=("charged",))


def names(principal: str, operation: str, kind: str = "TOPIC", among: frozenset[Grant] = ALL) -> set[str]:
    """Return what ``principal`` may do ``operation`` with."""
    return {one.name for one in among if one[:3] == (principal, operation, kind)}


def test_a_service_may_do_this_and_nothing_else() -> None:
    assert grants_of(BOOKS) == {
        Grant("books", "READ", "TOPIC", "book"),
        Grant("books", "READ", "TOPIC", "booked"),
        Grant("books", "READ", "TOPIC", "consumer-group-claims"),
        Grant("books", "WRITE", "TOPIC", "booked"),
        Grant("books", "WRITE", "TOPIC", "books.dlq"),
        Grant("books", "WRITE", "TOPIC", "consumer-group-claims"),
        Grant("books", "READ", "GROUP", "books"),
        Grant("books", "DESCRIBE", "GROUP", "never-joined"),
    }


def test_only_the_orchestrator_and_a_replay_may_command() -> None:
    for topic in ("decrease-product-command", "create-delivery-command", "complete-order-command"):
        writers = {one.principal for one in ALL if one.operation == "WRITE" and one.name == topic}
        assert writers == {"orchestrator_svc", REPLAY}


def test_each_topic_has_one_service_that_writes_it() -> None:
    for topic in read_topics(SCHEMAS):
        writers = {one.principal for one in ALL if one.operation == "WRITE" and one.name == topic}
        assert len(writers - {REPLAY}) == 1, topic


def test_a_service_reads_nobody_s_dead_letters_and_writes_none_but_its_own() -> None:
    for service in SERVICES:
        letters = {one for one in ALL if one.principal == service.name and one.name.endswith(".dlq")}
        assert letters == {Grant(service.name, "WRITE", "TOPIC", f"{service.name}.dlq")}


def test_a_replay_goes_to_what_the_groups_consume_and_to_nothing_else() -> None:
    both = grants([BOOKS, CARDS], RegistryAccess((), ()))
    assert names(REPLAY, "WRITE", among=both) == {"book", "charge", "books.dlq", "cards.dlq"}
    assert names(REPLAY, "READ", among=both) == {"books.dlq", "cards.dlq"}
    assert names(REPLAY, "DESCRIBE", "GROUP", both) == {"books", "cards"}


def test_operators_look_at_everything_and_send_no_message_of_the_business() -> None:
    assert names(OPERATORS, "DESCRIBE") == set(read_topics(SCHEMAS))
    assert names(OPERATORS, "WRITE") == {group_owner.TOPIC, *(f"{name}.dlq" for name in MANIFESTS)}
    assert names(OPERATORS, "DESCRIBE", "GROUP") == set(MANIFESTS)
    assert names(OPERATORS, "READ", "GROUP") == set()


def test_the_console_reads_every_message_and_writes_none_but_the_marks_of_dead_letters() -> None:
    letters = {f"{name}.dlq" for name in MANIFESTS}
    assert names(CONSOLE, "READ") == {*read_topics(SCHEMAS), *letters}
    assert names(CONSOLE, "WRITE") == letters
    assert names(CONSOLE, "DESCRIBE", "GROUP") == {*MANIFESTS, NEVER_JOINED}
    assert names(CONSOLE, "READ", "GROUP") == set()


def test_the_registry_has_its_own_topics_alone() -> None:
    own = {one for one in ALL if one.principal == REGISTRY}
    assert {(one.kind, one.name) for one in own} == {
        ("TOPIC", "kafkasql-"),
        ("TOPIC", "registry-events"),
        ("GROUP", "apicurio-"),
    }
    assert all(one.is_prefix for one in own)
    assert not any(topic.startswith(one.name) for topic in read_topics(SCHEMAS) for one in own)


def test_nobody_is_granted_anything_who_is_not_known_as_a_principal() -> None:
    assert {one.principal for one in ALL} == principals(SERVICES)


def test_contracts_that_say_nothing_of_a_registry_grant_it_nothing() -> None:
    assert not names(REGISTRY, "ALL", among=grants([BOOKS], registry_access({})))


def test_what_is_written_for_a_deployment_is_what_it_reads(tmp_path: Path) -> None:
    (tmp_path / "access.yaml").write_text(write_access([CARDS, BOOKS]))
    assert read_access(tmp_path) == [BOOKS, CARDS]


def test_the_contracts_have_what_the_manifests_say() -> None:
    assert (SCHEMAS / "access.yaml").read_text() == current()
    assert {one.name for one in read_access(SCHEMAS)} == set(MANIFESTS)
