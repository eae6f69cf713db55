"""The offset at which a consumer begins to read a partition, after an assignment or after its database went back.

It is the committed offset, unless the database has less: then it is the stored one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from prometheus_client import Counter

from sagakit.kafka.consumed import Partition
from sagakit.offsets.stored_offsets import MARK
from sagakit.runtime.logs import logger

log = logger("consumer")

_ANSWER_SECONDS = 5.0
_WENT_BACK = Counter(
    "sagakit_database_went_back_total", "Times that partitions were read again, because the database has less."
)
_DELETED = Counter(
    "sagakit_messages_deleted_before_reread_total",
    "Messages that the database forgot and Kafka does not have either.",
)


class Start(NamedTuple):
    """Where reading a partition begins."""

    at: int
    """An offset, or ``OFFSET_BEGINNING``."""
    stored: int | None
    """The offset that the database has; None where it has none."""
    once: int | None
    """How far the group was before the database went back; None where it did not."""


def committed(consumer: Consumer, partitions: Iterable[Partition]) -> dict[Partition, tuple[int, bool]]:
    """Return the group's committed offsets, negative where there is none, each with whether the database had it.

    Raises:
        KafkaException: the brokers do not answer.
    """
    found = consumer.committed([TopicPartition(*partition) for partition in partitions], timeout=_ANSWER_SECONDS)
    return {(one.topic, one.partition): (one.offset, one.metadata == MARK) for one in found}


def forgotten(committed: Mapping[Partition, tuple[int, bool]], stored: Mapping[Partition, int]) -> dict[Partition, int]:
    """Return the committed offsets of those partitions of which the database once had more than now."""
    return {
        partition: offset for partition, (offset, had) in committed.items() if had and offset > stored.get(partition, 0)
    }


def is_behind(consumer: Consumer, topics: Iterable[str], stored: Mapping[Partition, int]) -> bool:
    """Say whether the database, which has ``stored``, has less of ``topics`` than its group has handled.

    This covers all partitions, whichever replica reads them. Raises what `committed` raises.
    """
    known = consumer.list_topics(timeout=_ANSWER_SECONDS).topics
    partitions = [(topic, number) for topic in topics if topic in known for number in known[topic].partitions]
    return bool(forgotten(committed(consumer, partitions), stored))


def starting_points(
    consumer: Consumer, partitions: Iterable[Partition], stored: Mapping[Partition, int]
) -> dict[Partition, Start]:
    """Return where ``consumer`` begins to read each of ``partitions``, given the offsets ``stored`` in its database.

    Raises:
        KafkaException: the brokers do not answer.
    """
    group = committed(consumer, partitions)
    back = forgotten(group, stored)
    found: dict[Partition, Start] = {}
    for partition, (offset, _) in group.items():
        at = offset if offset >= 0 else OFFSET_BEGINNING
        found[partition] = Start(at, stored.get(partition), None)
    for partition, once in back.items():
        found[partition] = _place_back(consumer, partition, stored.get(partition), once)
    if back:
        _WENT_BACK.inc()
        messages = sum(once - stored.get(partition, 0) for partition, once in back.items())
        log.error("the database went back, reading again what it forgot", partitions=len(back), messages=messages)
    return found


def _place_back(consumer: Consumer, partition: Partition, stored: int | None, once: int) -> Start:
    begin, end = consumer.get_watermark_offsets(TopicPartition(*partition), timeout=_ANSWER_SECONDS)
    if once > end:  # the topic was recreated: neither offset means anything in it
        return Start(OFFSET_BEGINNING, stored, None)
    at = stored or 0
    if at < begin:
        report_deleted(partition, at, begin)
    return Start(max(at, begin), stored, once)


def report_deleted(partition: Partition, first: int, begin: int) -> None:
    """Log and count the messages from ``first`` up to the partition's ``begin``: they cannot be read again."""
    _DELETED.inc(begin - first)
    topic, number = partition
    text = "messages that the database forgot are deleted by their topic's retention"
    log.error(text, topic=topic, partition=number, first=first, last=begin - 1)
