"""``ordersaga dlq`` on the brokers that librdkafka brings for tests, in this process."""

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer

from tests.unit.ordersaga_cli.line import typed


@pytest.fixture
def kafka() -> Iterator[str]:
    """The address of a Kafka with the dead-letter topics of two groups."""
    cluster = Producer({"test.mock.num.brokers": 1, "log_level": 0})
    for topic in ("order_svc.dlq", "delivery_svc.dlq", "order-created"):
        cluster.produce(topic, b"x")
    assert cluster.flush(30) == 0
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    del cluster  # its brokers have run until now


@pytest.mark.parametrize("line", ["list nosuch", "show nosuch x", "replay nosuch x", "drop nosuch x"])
def test_a_group_that_is_none_is_answered_by_those_there_are(line: str, kafka: str) -> None:
    result = typed(f"dlq {line}", {"KAFKA_BOOTSTRAP_SERVERS": kafka})
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "ordersaga: the group nosuch has no topic nosuch.dlq (NO_DEAD_LETTER_TOPIC);"
        " those that have one are delivery_svc, order_svc\n"
    )


@pytest.mark.parametrize("which", ["--all", "--reason ''"])
def test_many_are_not_replayed_where_nobody_can_be_asked(which: str, kafka: str) -> None:
    result = typed(f"dlq replay order_svc {which}", {"KAFKA_BOOTSTRAP_SERVERS": kafka}, "y\n")
    assert (result.code, result.out) == (2, "")
    assert "Replay 1 dead letters of order_svc? Nobody can be asked without a terminal: --yes" in result.err
