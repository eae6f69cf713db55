"""The offsets that a consumer has handled, until the broker says that they are committed.

A commit may be refused, as in a rebalance. Were it left at that, the group would seem to be behind until the next
message of the partition, and those who act on silence (`chassis.lag`) would wait for that.
"""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Message as KafkaMessage

from chassis.dead_letters import source
from chassis.families import passes
from chassis.logs import logger

log = logger("consumer")

Partition = tuple[str, int]
"""A topic, and the number of one of its partitions."""

READING: dict[str, str | int | float | bool] = {"isolation.level": "read_uncommitted"}
"""How everything is read. We write no transactions; one that a stranger leaves open would hold up all that lies behind
it, for as long as its producer has asked for."""
COMMIT_SECONDS = 0.1
"""How often offsets are committed at most. A commit costs the broker about as much as a batch's messages do; what it is
behind by when a service is killed comes again, and is answered the same."""
_AGAIN_SECONDS = 1.0
_GONE = {KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID}
"""Refusals after which nothing is sent again: the topic may be made anew, and begin at zero."""


class Offsets:
    """One consumer's; used by its thread alone."""

    def __init__(self) -> None:
        self._handled: dict[Partition, int] = {}
        self._reached: dict[Partition, int] = {}
        self._rewound: set[Partition] = set()
        self._sent = 0.0
        self.unsent = False
        """Whether some were handled since the last commit was sent."""

    @property
    def due(self) -> bool:
        """Whether some are to be committed: for the first time, or because that has not been answered for a second."""
        return bool(self._handled) and time.monotonic() - self._sent > (
            COMMIT_SECONDS if self.unsent else _AGAIN_SECONDS
        )

    def add(self, batch: Sequence[KafkaMessage]) -> None:
        """Count ``batch`` as handled."""
        handled = {(topic, partition): offset + 1 for topic, partition, offset in map(source, batch)}
        self._handled |= handled
        self._reached |= handled
        self._rewound.difference_update(handled)
        self.unsent = True

    def end(self, ends: Iterable[KafkaMessage]) -> None:
        """Take it that nothing lies between what was handled and these ``ends``, events of the client.

        It tells of an end once it has handed out all that lies before it. What is left is no message: the marker at a
        transaction's end takes an offset too, and the group would seem to be behind for ever.
        """
        for partition, offset in ((source(one)[:2], source(one)[2]) for one in ends):
            if offset > self._reached.get(partition, -1) and partition not in self._rewound:
                self._handled[partition] = self._reached[partition] = offset
                self.unsent = True

    def rewound(self, partitions: Iterable[Partition]) -> None:
        """Say that ``partitions`` are read again: no end counts until something of them has been handled."""
        self._rewound.update(partitions)

    def reached(self, partition: Partition) -> int:
        """Return where reading ``partition`` goes on, as far as that is known; -1 where it is not."""
        return self._reached.get(partition, -1)

    def forget(self, partitions: Iterable[Partition]) -> None:
        """Leave ``partitions`` to whoever has them now."""
        for partition in partitions:
            self._handled.pop(partition, None)
            self._reached.pop(partition, None)
            self._rewound.discard(partition)

    def commit(self, consumer: Consumer, *, wait: bool) -> None:
        """Send what is not committed yet; where it is refused, the messages come again, and are answered the same."""
        self._sent, self.unsent = time.monotonic(), False
        offsets = [TopicPartition(*partition, offset) for partition, offset in self._handled.items()]
        try:
            if wait:
                consumer.commit(offsets=offsets, asynchronous=False)
            else:
                consumer.commit(offsets=offsets)
        except KafkaException as error:
            log.warning("offsets not committed", error=str(error))

    def committed(self, error: KafkaError | None, partitions: Iterable[TopicPartition]) -> None:
        """Take the broker's answer; this is the client's ``on_commit``."""
        for one in partitions:
            refusal = one.error or error
            if refusal is not None:
                log.info("offset not committed", topic=one.topic, partition=one.partition, error=str(refusal))
                if passes(KafkaException(refusal)) and refusal.code() not in _GONE:
                    continue
            if self._handled.get((one.topic, one.partition)) == one.offset:
                del self._handled[one.topic, one.partition]
