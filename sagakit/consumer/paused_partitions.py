"""Partitions that are paused for a while, because their next message cannot be handled yet; the others go on."""

import time
from collections.abc import Container, Iterable

from confluent_kafka import Consumer, TopicPartition

from sagakit.kafka.consumed import Partition


class PausedPartitions:
    """Those of one consumer; used by its thread alone."""

    def __init__(self) -> None:
        """Begin with none."""
        self._until: dict[Partition, float] = {}
        """Until when each is paused, by the monotonic clock; 0 once it is being tried again."""
        self._tries = 0

    def __bool__(self) -> bool:
        """Whether any is paused, or is being tried again."""
        return bool(self._until)

    def __contains__(self, partition: object) -> bool:
        """Whether ``partition`` is paused, or is being tried again."""
        return partition in self._until

    @property
    def tries(self) -> int:
        """How often some were paused since none was."""
        return self._tries

    @property
    def waits(self) -> bool:
        """Whether one is paused now."""
        return any(self._until.values())

    def pause(self, consumer: Consumer, partitions: Iterable[Partition], seconds: float) -> None:
        """Have ``consumer`` fetch nothing of ``partitions`` for so long."""
        paused = dict.fromkeys(partitions, time.monotonic() + seconds)
        self._until |= paused
        self._tries += 1
        consumer.pause([TopicPartition(*partition) for partition in paused])

    def resume(self, consumer: Consumer, at_once: Container[Partition] = ()) -> bool:
        """Have those fetched again whose time has passed, or that are to be tried ``at_once``; say whether any were."""
        now = time.monotonic()
        due = [one for one, until in self._until.items() if until and (until <= now or one in at_once)]
        if due:
            consumer.resume([TopicPartition(*partition) for partition in due])
            self._until |= dict.fromkeys(due, 0)
        return bool(due)

    def resumed(self) -> None:
        """Note that the consumer has resumed all its partitions."""
        self._until = dict.fromkeys(self._until, 0)

    def forget(self, partitions: Container[Partition]) -> None:
        """Forget ``partitions``, which have gone on, or which another member has now."""
        self._until = {partition: until for partition, until in self._until.items() if partition not in partitions}
        if not self._until:
            self._tries = 0
