"""Kafka's clients by TLS: who is believed, and certificates that are renewed while messages come and go."""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from devstack.postgres import Postgres
from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka import renewed_files
from sagakit.kafka.lost_brokers import another_is_answered
from sagakit.kafka.producer import Producer
from sagakit.kafka.settings import KafkaSettings
from sagakit.messages import Outgoing
from sagakit.offsets.group_lag import GroupLag
from tests.support.certificates import Authority
from tests.support.kafka import taped
from tests.support.scratch import Recorded, scratch_group
from tests.support.secured_kafka import SecuredKafka
from tests.support.wait import eventually

OURS, NEXT, FOREIGN = Authority("ours"), Authority("next"), Authority("foreign")
LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Servers:
    """The servers of a scratch group: the stack's, but for Kafka."""

    bootstrap: str
    registry_url: str
    postgres: Postgres


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    """A broker that believes our authority and the next one."""
    running = SecuredKafka()
    with running.running(tmp_path_factory.mktemp("kafka"), OURS.sign("127.0.0.1"), [OURS, NEXT]):
        running.allow("before")
        yield running


@pytest.fixture
def client(kafka: SecuredKafka, tmp_path: Path) -> KafkaSettings:
    """The settings of a client whose files are in the test's folder."""
    OURS.sign(common_name="before").write(tmp_path)
    (tmp_path / "ca.crt").write_bytes(OURS.certificate)
    return KafkaSettings(
        kafka_bootstrap_servers=kafka.secured,
        kafka_security_protocol="SSL",
        kafka_ssl_ca_location=str(tmp_path / "ca.crt"),
        kafka_ssl_certificate_location=str(tmp_path / "tls.crt"),
        kafka_ssl_key_location=str(tmp_path / "tls.key"),
    )


def is_answered(settings: KafkaSettings) -> bool:
    try:
        AdminClient({**settings.kafka_client(), "log_level": 0}).list_topics(timeout=3)
    except KafkaException:
        return False
    return True


def test_a_client_of_our_authority_is_answered(client: KafkaSettings) -> None:
    assert is_answered(client)


def test_a_client_of_a_foreign_authority_is_not(client: KafkaSettings, tmp_path: Path) -> None:
    FOREIGN.sign(common_name="before").write(tmp_path)
    assert not is_answered(client)


def test_a_client_does_not_believe_brokers_of_a_foreign_authority(client: KafkaSettings, tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_bytes(FOREIGN.certificate)
    assert not is_answered(client)


def test_a_client_does_not_believe_a_broker_of_another_name(client: KafkaSettings, kafka: SecuredKafka) -> None:
    other = kafka.secured.replace("127.0.0.1", "localhost")  # its certificate says 127.0.0.1
    assert not is_answered(client.model_copy(update={"kafka_bootstrap_servers": other}))


@pytest.fixture
def servers(stack: Stack, kafka: SecuredKafka) -> Stack:
    return cast("Stack", Servers(kafka.bootstrap, stack.registry_url, stack.postgres))


def test_a_renewed_certificate_is_taken_while_messages_come_and_go_and_none_is_lost(
    servers: Stack, kafka: SecuredKafka, client: KafkaSettings, tmp_path: Path
) -> None:
    properties, fatal = client.kafka_client(), list[str]()
    producer = Producer(properties, fatal.append, lost_broker_seconds=LOOK_SECONDS)
    stopping = threading.Event()
    with scratch_group(servers) as group, ThreadPoolExecutor(1) as pool:
        group.consume(Recorded(), client=properties, producer=producer, stall_seconds=LOOK_SECONDS)

        def send() -> int:
            number = 0
            while not stopping.is_set():
                producer.deliver([group.codec.encode(Outgoing(group.ping(number)))], 20)
                number += 1
            return number

        sending = pool.submit(send)
        eventually(lambda: has_some(group.effects(), 10), 60)
        kafka.allow("after")
        NEXT.sign(common_name="after").write(tmp_path)
        time.sleep(20 * LOOK_SECONDS)
        kafka.forbid("before")  # who still shows the former certificate is refused from here on
        at_least = len(group.effects()) + 20
        eventually(lambda: has_some(group.effects(), at_least), 60)
        stopping.set()
        sent = sending.result(30)
        eventually(lambda: has_all(group.effects(), sent), 60)
    producer.close(5)
    assert fatal == []
    kafka.allow("before")


def has_some(found: Sequence[object], count: int) -> None:
    assert len(found) >= count


def has_all(found: list[int], count: int) -> None:
    assert found == list(range(count))


def test_files_that_no_broker_believes_are_not_taken(
    servers: Stack, client: KafkaSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = list[bool]()

    def noted(properties: Mapping[str, str | int | float | bool]) -> bool:
        answers.append(another_is_answered(properties))
        return answers[-1]

    monkeypatch.setattr(renewed_files, "another_is_answered", noted)
    producer = Producer(client.kafka_client(), lambda _: None, lost_broker_seconds=LOOK_SECONDS)
    with scratch_group(servers) as group, taped(group.stack.bootstrap, group.topic) as tape:
        send = [group.codec.encode(Outgoing(group.ping(number))) for number in (1, 2)]
        producer.deliver(send[:1], 20)
        FOREIGN.sign(common_name="before").write(tmp_path)
        eventually(lambda: has_some(answers, 2), 30)
        assert not any(answers)
        producer.deliver(send[1:], 20)
        assert [message.key() for message in tape.until(2)] == [b"1", b"2"]
    producer.close(5)


def test_files_that_are_half_written_while_brokers_do_not_answer_are_waited_for(tmp_path: Path) -> None:
    ca = tmp_path / "ca.crt"
    ca.write_bytes(OURS.certificate)
    nowhere: dict[str, str | int | float | bool] = {"bootstrap.servers": "127.0.0.1:1", "log_level": 0}
    lag = GroupLag({**nowhere, "security.protocol": "SSL", "ssl.ca.location": str(ca)}, "nobody", ["no-topic"])
    ca.write_bytes(OURS.certificate[:100])
    for _ in range(2):  # each asks with another client, where there can be one
        with pytest.raises(Unavailable):
            lag.look()
