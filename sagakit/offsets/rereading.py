"""Rereading: reads a range of a topic once more, independently of the group that consumes it."""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sagakit.errors import Unavailable
from sagakit.kafka.consumed import NEVER_JOINED, READING, Partition, source
from sagakit.kafka.unreadable import end_of, is_unreadable
from sagakit.offsets.starting_points import report_deleted

Client = Mapping[str, str | int | float | bool]

_ANSWER_SECONDS = 5.0
_LONGEST_SILENCE_SECONDS = 30.0
"""After so long without a message, though messages are there, rereading fails."""
_BATCH = 1000


def reader(client: Client) -> Consumer:
    """Return a consumer that joins no group, with the Kafka properties ``client``."""
    ours = {
        "group.id": NEVER_JOINED,
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    return Consumer({**client, **READING, **ours})


def ends(asker: Consumer, topic: str) -> dict[Partition, int]:
    """Return the end of each partition of ``topic``.

    Raises:
        KafkaException: the brokers do not answer, or do not know the topic.
    """
    metadata = asker.list_topics(topic, timeout=_ANSWER_SECONDS).topics[topic]
    if metadata.error or not metadata.partitions:
        raise KafkaException(metadata.error or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    found: dict[Partition, int] = {}
    for number in metadata.partitions:
        _, found[topic, number] = asker.get_watermark_offsets(TopicPartition(topic, number), timeout=_ANSWER_SECONDS)
    return found


def places_at(asker: Consumer, ends: Mapping[Partition, int], moment: datetime) -> dict[Partition, int]:
    """Return for each partition the offset of the first message from ``moment`` on; without one, the partition's end.

    Raises:
        KafkaException: the brokers do not answer.
    """
    asked = [TopicPartition(*partition, int(moment.timestamp() * 1000)) for partition in ends]
    found = asker.offsets_for_times(asked, timeout=_ANSWER_SECONDS)
    return {
        (one.topic, one.partition): one.offset if one.offset >= 0 else ends[one.topic, one.partition] for one in found
    }


def between(client: Client, begin: Mapping[Partition, int], end: Mapping[Partition, int]) -> Iterator[Message]:
    """Read each partition from its ``begin`` to its ``end``, if the end is later.

    Batches that the client cannot read are passed over: the group that consumes the topic parks them. Messages that the
    topic's retention has deleted are logged and counted, unless ``begin`` is ``OFFSET_BEGINNING``.

    Raises:
        KafkaException: the brokers refuse.
        Unavailable: no message has come for half a minute.
    """
    left = {one: to for one, to in end.items() if begin.get(one, to) < to}
    if not left:
        return
    consumer = reader(client)
    try:
        for partition in left:
            first, _ = consumer.get_watermark_offsets(TopicPartition(*partition), timeout=_ANSWER_SECONDS)
            if 0 <= begin[partition] < first:
                report_deleted(partition, begin[partition], first)
        consumer.assign([TopicPartition(*one, begin[one]) for one in left])
        give_up = time.monotonic() + _LONGEST_SILENCE_SECONDS
        while left:
            for message in consumer.consume(_BATCH, 0.2):
                give_up = time.monotonic() + _LONGEST_SILENCE_SECONDS
                reached = _reached(client, consumer, message)
                if message.error() is None:
                    yield message
                partition = (message.topic() or "", message.partition() or 0)
                if partition in left and reached >= left[partition]:
                    del left[partition]
            if left and time.monotonic() > give_up:
                raise Unavailable(f"{min(left)[0]} cannot be read to its end")
    finally:
        consumer.close()


def _reached(client: Client, consumer: Consumer, message: Message) -> int:
    """Return the offset at which ``consumer`` reads on behind ``message``, which may be an event."""
    error, unreadable = message.error(), is_unreadable(message)
    if error and not unreadable and error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name
        raise KafkaException(error)
    topic, partition, at = source(message)
    if unreadable:
        at = end_of(client, (topic, partition, at))
        consumer.seek(TopicPartition(topic, partition, at))
    return at if error else at + 1
