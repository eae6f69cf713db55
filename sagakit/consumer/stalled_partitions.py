"""Stalled-partition detection: notices a consumer that has messages to read in a partition, and gets none.

It should not happen, and does: a client that was fetching its first offsets when the broker restarted never went on;
and one whose topic is deleted and made anew stays with the old topic. For the group such a member is alive, so nobody
takes over its partitions.
"""

import threading
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future

from confluent_kafka import Consumer, KafkaException, TopicPartition

from sagakit.kafka.consumed import READING, Partition
from sagakit.offsets.handled import Offsets

_ANSWER_SECONDS = 5.0


class StalledPartitionDetector:
    """Compares, at each look, a consumer's positions with the ends of its partitions."""

    def __init__(self, client: Mapping[str, str | int | float | bool], group: str, every_seconds: float) -> None:
        """Look every ``every_seconds``; a partition is stalled that is behind, and has not moved since the last look.

        Another client asks for the ends, with the Kafka properties ``client``; it never joins ``group``.
        """
        self._client = {**client, **READING, "group.id": group, "enable.auto.commit": False, "log_level": 0}
        self._asker: Consumer | None = None
        self._look: Future[dict[Partition, int]] | None = None
        self.every_seconds = every_seconds
        self._next = time.monotonic() + every_seconds
        self._behind: dict[Partition, int] = {}
        self._drained = False

    def drained(self) -> None:
        """Note that the consumer has handed out all that it had fetched: what is unread was not fetched."""
        self._drained = True

    def stalled(self, consumer: Consumer, owned: Collection[Partition], offsets: Offsets) -> list[Partition]:
        """Return the partitions of ``owned`` that are stalled; none where it is not time to look, or no broker answers.

        The consumer's own position does not pass what is no message; ``offsets`` say so. Call it as often as you like:
        it never waits. A thread of its own looks, and a later call returns what it has found.
        """
        if self._look is None:
            if time.monotonic() >= self._next:
                positions = consumer.position([TopicPartition(*partition) for partition in owned])
                for one in positions:
                    one.offset = max(one.offset, offsets.reached((one.topic, one.partition)))
                self._look = self._begin_look(positions)
            return []
        if not self._look.done():
            return []
        look, self._look = self._look, None
        before = self._behind if self._drained else {}
        try:
            self._behind = look.result()
        except KafkaException:  # a broker is down, and this is not a stall; or the asker alone has lost it
            self._behind = {}
            self._asker = None
        self._drained = False
        self._next = time.monotonic() + self.every_seconds
        return [
            partition for partition, at in self._behind.items() if partition in owned and before.get(partition) == at
        ]

    def forget(self) -> None:
        """Begin anew: the consumer stood still for a good reason."""
        self._behind = {}
        self._next = time.monotonic() + self.every_seconds

    def _begin_look(self, positions: Sequence[TopicPartition]) -> Future[dict[Partition, int]]:
        look: Future[dict[Partition, int]] = Future()

        def run() -> None:
            try:
                look.set_result(self._compare(positions))
            except Exception as error:  # noqa: BLE001 - `stalled` raises it
                look.set_exception(error)

        threading.Thread(target=run, name="stalled-partitions", daemon=True).start()
        return look

    def _compare(self, positions: Sequence[TopicPartition]) -> dict[Partition, int]:
        """Return the partitions that are not at their end, which may lie before their position; and each position."""
        asker = self._asker = self._asker or Consumer(self._client)
        behind: dict[Partition, int] = {}
        for found in positions:
            at = found.offset
            begin, end = asker.get_watermark_offsets(found, timeout=_ANSWER_SECONDS)
            if at < 0:  # nothing was read since it was assigned
                (committed,) = asker.committed([found], timeout=_ANSWER_SECONDS)
                at = max(begin, committed.offset)
            if at != end:
                behind[found.topic, found.partition] = at
        return behind
