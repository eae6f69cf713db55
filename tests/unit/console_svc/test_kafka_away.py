"""A look at Kafka that failed is no reason to go on failing: the next one begins anew, and the log says both."""

import gc
import weakref
from collections.abc import Mapping

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from console_svc import kafka
from sagakit.offsets.topic_lags import TopicLag
from tests.support.asked_console import console

TIMED_OUT = KafkaError._TIMED_OUT  # noqa: SLF001 - its public name
BEHIND = TopicLag("order-created", partitions=1, messages=3, groups={"orchestrator_svc": 3}, end=3)


class _Client:
    """A client that never gets an answer again once it has seen Kafka go away."""

    made: weakref.WeakSet["_Client"]
    count = 0

    def __init__(self, _: Mapping[str, object]) -> None:
        self.made.add(self)
        type(self).count += 1
        self.is_deaf = False


class _Broker:
    """Answers those who have not seen it go away."""

    is_up = True

    def lags(self, client: _Client, *_: object) -> list[TopicLag]:
        client.is_deaf = client.is_deaf or not self.is_up
        if client.is_deaf:
            raise KafkaException(KafkaError(TIMED_OUT))
        return [BEHIND]


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> _Broker:
    broker = _Broker()
    _Client.made, _Client.count = weakref.WeakSet(), 0
    monkeypatch.setattr(kafka, "AdminClient", _Client)
    monkeypatch.setattr(kafka, "topic_lags", broker.lags)
    return broker


async def test_kafka_that_is_back_is_seen_again_though_the_old_client_never_would(broker: _Broker) -> None:
    looks = console().sources.kafka
    with capture_logs() as logged:
        assert [(await looks.look_again()).lag for _ in range(2)] == [3, 3]
        assert _Client.count == 1
        broker.is_up = False
        views = [await looks.look_again() for _ in range(3)]
        assert all("Kafka cannot be reached" in view.trouble for view in views)
        broker.is_up = True
        back = await looks.look_again()
    assert (back.trouble, back.lag) == ("", 3)
    assert [(line["log_level"], line["event"]) for line in logged] == [
        ("warning", "Kafka cannot be reached"),
        ("info", "Kafka is back"),
    ]
    assert "Timed out" in logged[0]["error"]


async def test_an_outage_leaves_no_clients_behind(broker: _Broker) -> None:
    looks = console().sources.kafka
    broker.is_up = False
    for _ in range(10):
        await looks.look_again()
    gc.collect()
    assert _Client.count == 10
    assert len(_Client.made) == 0


async def test_what_kafka_was_when_somebody_looked_last_is_not_told_of_now(
    broker: _Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = console().sources.kafka
    broker.is_up = False
    assert (await looks.look()).trouble
    broker.is_up = True
    monkeypatch.setattr(kafka, "_FRESH_SECONDS", 0.0)
    monkeypatch.setattr(kafka, "_STALE_SECONDS", 0.0)  # as if nobody had looked for long
    assert (await looks.look()).lag == 3
