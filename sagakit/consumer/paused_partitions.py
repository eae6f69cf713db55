"""Partitions that stand still for a while, because what lies next in them cannot be handled yet; the others go on."""

import time
from collections.abc import Container, Iterable

from confluent_kafka import Consumer, TopicPartition

from sagakit.kafka.consumed import Partition


class PausedPartitions:
    """Those of one consumer; used by its thread alone."""

    def __init__(self) -> None:
        """Begin with none."""
        self._until: dict[Partition, float] = {}
        self._tries = 0

    def __bool__(self) -> bool:
        """Whether any stands, or is being tried again."""
        return bool(self._until)

    def __contains__(self, partition: object) -> bool:
        """Whether ``partition`` stands, or is being tried again."""
        return partition in self._until

    @property
    def tries(self) -> int:
        """How often some were stopped since none was."""
        return self._tries

    @property
    def waits(self) -> bool:
        """Whether one stands now."""
        return any(self._until.values())

    def stop(self, consumer: Consumer, partitions: Iterable[Partition], seconds: float) -> None:
        """Let ``consumer`` fetch nothing of ``partitions`` for so long."""
        stopped = dict.fromkeys(partitions, time.monotonic() + seconds)
        self._until |= stopped
        self._tries += 1
        consumer.pause([TopicPartition(*partition) for partition in stopped])

    def resume(self, consumer: Consumer, at_once: Container[Partition] = ()) -> bool:
        """Have those fetched again whose time has passed, or that are to be tried ``at_once``; say whether any were."""
        now = time.monotonic()
        due = [one for one, until in self._until.items() if until and (until <= now or one in at_once)]
        if due:
            consumer.resume([TopicPartition(*partition) for partition in due])
            self._until |= dict.fromkeys(due, 0)
        return bool(due)

    def resumed(self) -> None:
        """Say that all are fetched again."""
        self._until = dict.fromkeys(self._until, 0)

    def forget(self, partitions: Container[Partition]) -> None:
        """Say that ``partitions`` have gone on, or that another member has them now."""
        self._until = {partition: until for partition, until in self._until.items() if partition not in partitions}
        if not self._until:
            self._tries = 0
