"""The producer sends a batch as a whole, and returns when Kafka has all of it."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from devstack.stack import Stack
from sagakit.errors import Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded
from tests.support.kafka import create_topic, delete_topics, taped
from tests.support.scratch import PREFIX
from tests.support.series import Since
from tests.support.wait import eventually

TOPIC = f"{PREFIX}producer"


@pytest.fixture
def topic(stack: Stack) -> Iterator[str]:
    create_topic(stack.bootstrap, TOPIC)
    yield TOPIC
    delete_topics(stack.bootstrap, TOPIC)


def batch(topic: str, size: int) -> list[Encoded]:
    return [Encoded(topic, b"7", str(number).encode(), ()) for number in range(size)]


def test_a_batch_goes_in_one_request(stack: Stack, topic: str) -> None:
    sent: list[int] = []

    def note(statistics: str) -> None:
        window = json.loads(statistics)["topics"].get(topic, {}).get("batchcnt", {"cnt": 0})
        sent.extend([window["avg"]] * window["cnt"])

    client: Mapping[str, Any] = {
        "bootstrap.servers": stack.bootstrap,
        "statistics.interval.ms": 100,
        "stats_cb": note,
    }
    producer = Producer(client, lambda _: None)
    for size in (500, 300, 1):
        producer.deliver(batch(topic, size))

    def all_are_counted() -> None:
        assert sum(sent) == 801

    eventually(all_are_counted, 5)
    producer.close(5)
    assert len(sent) == 3


def test_what_was_delivered_is_in_kafka(stack: Stack, topic: str) -> None:
    producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    with taped(stack.bootstrap, topic) as tape:
        producer.deliver(batch(topic, 20), 10)
        assert [message.value() for message in tape.until(20)] == [str(number).encode() for number in range(20)]
    producer.close(5)


def test_what_kafka_does_not_take_in_time_is_unavailable() -> None:
    producer = Producer({"bootstrap.servers": "127.0.0.1:1"}, lambda _: None)
    with pytest.raises(Unavailable, match=r"Kafka has not taken every message within 0\.2 seconds"):
        producer.deliver(batch("any", 1), 0.2)
    producer.close(0.1)


def test_what_kafka_has_taken_is_measured_once_for_each_batch(stack: Stack, topic: str) -> None:
    since = Since()
    producer = Producer({"bootstrap.servers": stack.bootstrap}, lambda _: None)
    producer.deliver(batch(topic, 20))
    producer.deliver(batch(topic, 1))
    producer.deliver([])
    with pytest.raises(Unavailable):
        producer.deliver(batch(topic, 5), 0)
    producer.close(5)
    assert since("sagakit_publish_seconds_count") == 2
