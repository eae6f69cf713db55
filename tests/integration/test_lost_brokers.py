"""A Kafka client that reaches no broker any more, where another would, is replaced.

A client cannot be made to lose its brokers at will. So these begin at an address where nobody answers, and get the
right one only when they connect anew.
"""

import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Consumer as KafkaConsumer

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka.lost_brokers import LostBrokerDetector, is_answered
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from sagakit.offsets.group_lag import GroupLag
from sagakit.runtime import metrics
from tests.support.kafka import create_topic, delete_topics, taped
from tests.support.scratch import PREFIX, Group, Recorded, scratch_group
from tests.support.wait import eventually

Client = dict[str, str | int | float | bool]
NOWHERE = "127.0.0.1:1"


@pytest.fixture
def lost() -> Client:
    """Properties with an address where nobody answers yet."""
    return {"bootstrap.servers": NOWHERE, "log_level": 0}


@pytest.fixture
def deaf(lost: Client) -> Iterator[KafkaConsumer]:
    client = KafkaConsumer({**lost, "group.id": "never-joined"})
    yield client
    client.close()


def test_a_client_is_lost_when_two_looks_are_not_answered_and_another_client_is(
    stack: Stack, deaf: KafkaConsumer
) -> None:
    detector = LostBrokerDetector({"bootstrap.servers": stack.bootstrap}, every_seconds=0)
    assert [detector.is_lost(lambda: is_answered(deaf)) for _ in range(4)] == [False, True, False, True]


def test_a_client_is_not_lost_where_nobody_is_answered(lost: Client, deaf: KafkaConsumer) -> None:
    detector = LostBrokerDetector(lost, every_seconds=0)
    assert [detector.is_lost(lambda: is_answered(deaf)) for _ in range(2)] == [False, False]


def test_a_client_that_is_answered_is_not_lost(stack: Stack) -> None:
    client = KafkaConsumer({"bootstrap.servers": stack.bootstrap, "group.id": "never-joined"})
    detector = LostBrokerDetector({"bootstrap.servers": NOWHERE}, every_seconds=0)
    assert [detector.is_lost(lambda: is_answered(client)) for _ in range(2)] == [False, False]
    client.close()


def test_a_consumer_that_no_broker_answers_joins_its_group_anew(stack: Stack, lost: Client) -> None:
    (family,) = metrics.REJOINED.collect()
    before = family.samples[0].value
    with scratch_group(stack) as group:
        group.send(range(20))
        group.consume(Recorded(), client=lost, stall_seconds=0.5)
        lost["bootstrap.servers"] = stack.bootstrap
        eventually(lambda: has(group, range(20)), 30)
    (family,) = metrics.REJOINED.collect()
    assert family.samples[0].value == before + 1


def test_a_consumer_joins_its_group_anew_though_its_client_cannot_leave_it(
    stack: Stack, lost: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a client that has forgotten every broker: it looks for its group's coordinator for ever."""
    let_go = threading.Event()

    class Leaving(KafkaConsumer):
        def close(self) -> None:
            let_go.wait()
            super().close()

    monkeypatch.setattr("sagakit.consumer.membership.KafkaConsumer", Leaving)
    with scratch_group(stack) as group:
        group.send(range(20))
        consumer = group.consume(Recorded(), client=lost, stall_seconds=0.5)
        lost["bootstrap.servers"] = stack.bootstrap
        eventually(lambda: has(group, range(20)), 30)
        consumer.stop()
        assert consumer.state == "ended"
        let_go.set()


def has(group: Group, numbers: Iterable[int]) -> None:
    assert group.effects() == list(numbers)


def test_a_producer_that_no_broker_answers_connects_anew_and_says_what_it_could_not_send(
    stack: Stack, lost: Client
) -> None:
    topic = f"{PREFIX}lost-brokers"
    create_topic(stack.bootstrap, topic)
    fatal: list[str] = []
    producer = Producer(lost, fatal.append, lost_broker_seconds=0.5)
    with taped(stack.bootstrap, topic) as tape, ThreadPoolExecutor(1) as caller:
        in_vain = caller.submit(producer.deliver, [Encoded(topic, b"1", b"in vain", ())])
        lost["bootstrap.servers"] = stack.bootstrap
        with pytest.raises(Unavailable):
            in_vain.result(14)  # the lost client would keep it until its time was over
        producer.deliver([Encoded(topic, b"1", b"taken", ())], 20)

        assert [message.value() for message in tape.until(1)] == [b"taken"]
    producer.close(5)
    delete_topics(stack.bootstrap, topic)
    assert fatal == []


def test_offsets_are_asked_for_anew_after_brokers_did_not_answer(stack: Stack, lost: Client) -> None:
    lag = GroupLag(lost, "nobody", ["order-created"])
    lag._client["bootstrap.servers"] = stack.bootstrap  # noqa: SLF001 - what the next client begins with
    with pytest.raises(Unavailable):
        lag.is_handled()
    assert not lag.is_handled()
    assert lag.is_handled()
