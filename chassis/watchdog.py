"""Notices a consumer that owns a partition, has messages to read there, and gets none.

It should not happen, and does: a client that was fetching its first offsets when the broker restarted never went on,
and one whose topic is deleted and made anew stays with the old one. To the group such a member is alive, so nobody
takes its partitions over.
"""

import time
from collections.abc import Collection

from confluent_kafka import Consumer, KafkaException, TopicPartition

_ANSWER_SECONDS = 5.0

_Partition = tuple[str, int]


class Watchdog:
    """Compares, look by look, where a consumer is with where its partitions end."""

    def __init__(self, every_seconds: float) -> None:
        """Look every ``every_seconds``; a partition that is behind and has not moved for that long is stalled."""
        self._every = every_seconds
        self._next = time.monotonic() + every_seconds
        self._behind: dict[_Partition, int] = {}
        self._drained = False

    def drained(self) -> None:
        """Say that the consumer has handed out all that it had fetched: what is still unread was not fetched."""
        self._drained = True

    def stalled(self, consumer: Consumer, owned: Collection[_Partition]) -> list[_Partition]:
        """Return the partitions of ``owned`` that are stalled; none where it is not time to look, or nobody answers."""
        if time.monotonic() < self._next:
            return []
        before = self._behind if self._drained else {}
        try:
            self._behind = self._look(consumer, owned)
        except KafkaException:  # the broker is away, which is nobody's stall
            self._behind = {}
        self._drained = False
        self._next = time.monotonic() + self._every
        return [partition for partition, at in self._behind.items() if before.get(partition) == at]

    def forget(self) -> None:
        """Begin anew: the consumer has stood still for a reason of its own."""
        self._behind = {}
        self._next = time.monotonic() + self._every

    @staticmethod
    def _look(consumer: Consumer, owned: Collection[_Partition]) -> dict[_Partition, int]:
        """Return the partitions that are not at their end, which may lie before them, and where each is."""
        behind: dict[_Partition, int] = {}
        for found in consumer.position([TopicPartition(*partition) for partition in owned]):
            at = found.offset
            begin, end = consumer.get_watermark_offsets(found, timeout=_ANSWER_SECONDS)
            if at < 0:  # nothing was read since it was assigned
                (committed,) = consumer.committed([found], timeout=_ANSWER_SECONDS)
                at = max(begin, committed.offset)
            if at != end:
                behind[found.topic, found.partition] = at
        return behind
