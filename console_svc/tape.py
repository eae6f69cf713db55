"""The messages of one saga, as they lie in Kafka: read from when it began, in the partitions of its key.

It joins no group and commits nothing. A look ends after some seconds or many messages, and then says so.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from sagakit.errors import Poison
from sagakit.kafka.consumed import NEVER_JOINED, READING, headers_of, source
from sagakit.kafka.partitioner import Partitioner
from sagakit.messages import MESSAGE_ID, MESSAGE_TYPE
from sagakit.trace_context import trace_of

_LOOK_SECONDS: Final = 4.0
_REQUEST_SECONDS: Final = 3.0
_MOST_READ: Final = 50_000
_MOST_FOUND: Final = 100
_BEFORE, _AFTER = timedelta(seconds=5), timedelta(seconds=60)
"""Kafka's clock and a database's may differ."""


@dataclass(frozen=True)
class Recorded:
    """One message."""

    topic: str
    partition: int
    offset: int
    time: datetime
    type: str
    """Its record type, without the package; empty where it does not say."""
    id: str
    trace: str
    """The trace that it belongs to; empty where it names none."""
    value: bytes | None


@dataclass(frozen=True)
class Tape:
    """What a look has found."""

    messages: Sequence[Recorded]
    """By the time at which Kafka got them."""
    cut: bool
    """Whether the look ended before it had read everything."""


def play(client: dict[str, Any], partitions: dict[str, int], key: bytes, begin: datetime, end: datetime) -> Tape:
    """Return the messages with ``key`` in the topics of ``partitions``, from ``begin`` to ``end``.

    Raises:
        KafkaException: Kafka cannot be reached, or does not let this client read.
    """
    partitioner = Partitioner()
    partitioner.learn(partitions)
    since = int((begin - _BEFORE).timestamp() * 1000)
    wanted = [TopicPartition(topic, partitioner.of(topic, key), since) for topic in partitions]
    consumer = Consumer(
        {
            **client,
            **READING,
            "group.id": NEVER_JOINED,
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )
    try:
        places = consumer.offsets_for_times(wanted, timeout=_REQUEST_SECONDS)
        consumer.assign([place for place in places if place.offset >= 0])
        left = {(place.topic, place.partition) for place in places if place.offset >= 0}
        reading = _Reading(consumer, left, (end + _AFTER).timestamp() * 1000)
        found = [_recorded(message) for message in reading.messages() if message.key() == key][:_MOST_FOUND]
    finally:
        consumer.close()
    return Tape(sorted(found, key=lambda one: (one.time, one.topic)), cut=bool(reading.left))


class _Reading:
    """Reads partitions to their end, or to a moment."""

    def __init__(self, consumer: Consumer, left: set[tuple[str, int]], until: float) -> None:
        self._consumer, self.left, self._until = consumer, left, until

    def messages(self) -> Iterator[KafkaMessage]:
        """Yield what is read; what could not be read to its end stays in ``left``."""
        give_up, read = time.monotonic() + _LOOK_SECONDS, 0
        while self.left and read < _MOST_READ and time.monotonic() < give_up:
            for message in self._consumer.consume(500, timeout=0.2):
                error, place = message.error(), (message.topic() or "", message.partition() or 0)
                if error is None and message.timestamp()[1] <= self._until:
                    read += 1
                    yield message
                elif error is None or error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
                    self.left.discard(place)
                elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    raise KafkaException(error)


def _recorded(message: KafkaMessage) -> Recorded:
    topic, partition, offset = source(message)
    try:
        headers = headers_of(message)
    except Poison:  # a name that is no text; the message is shown without its headers
        headers = []
    head, trace = dict(headers), trace_of(headers)
    return Recorded(
        topic=topic,
        partition=partition,
        offset=offset,
        time=datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC),
        type=_text(head.get(MESSAGE_TYPE)).rpartition(".")[2],
        id=_text(head.get(MESSAGE_ID)),
        trace=trace.trace_id if trace else "",
        value=message.value(),
    )


def _text(content: bytes | None) -> str:
    return (content or b"").decode(errors="replace")[:200]
