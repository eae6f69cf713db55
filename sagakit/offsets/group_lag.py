"""Group lag: whether a consumer group has handled all messages that its topics held a moment ago.

A timer that acts because no reply came has to know that no reply waits unread: after an outage all of them may be in
the topics.
"""

import threading
import time
from collections.abc import Mapping, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition

from sagakit.errors import Unavailable
from sagakit.kafka.consumed import READING, Partition
from sagakit.offsets import stored_offsets
from sagakit.offsets.starting_points import committed, forgotten
from sagakit.postgres.pipeline import Transaction

_ANSWER_SECONDS = 5.0
_STALE_SECONDS = 10.0

_Offsets = dict[Partition, int]


class GroupLag:
    """Compares a group's committed offsets with the ends of its topics at the last look.

    It asks through a consumer that joins no group, because librdkafka's admin client may abort the whole process when a
    broker goes away during a question.
    """

    def __init__(self, client: Mapping[str, str | int | float | bool], group: str, topics: Sequence[str]) -> None:
        """Watch the ``topics`` that ``group`` consumes, with the Kafka properties ``client``."""
        self._client = {**client, **READING, "group.id": group, "enable.auto.commit": False}
        self._asker = Consumer(self._client)
        self._asking = threading.Lock()
        self._topics = topics
        self._ends: _Offsets = {}
        self._committed: dict[Partition, tuple[int, bool]] | None = None
        self._looked = float("-inf")

    def is_handled(self) -> bool:
        """Say whether the group, all its replicas together, has handled what was there at the last look; then look.

        Call it every second or so: it returns False where the last look is more than ten seconds ago.

        Raises:
            Unavailable: the brokers do not answer.
        """
        ends, looked = self._ends, self._looked
        with self._asking:
            try:
                partitions = self._ask_for_committed()
                begins, self._ends = self._bounds(partitions)
            except KafkaException as error:
                self._looked = float("-inf")
                raise self._unanswered(error) from error
        self._looked = time.monotonic()
        if self._looked - looked > _STALE_SECONDS:
            return False
        group = {partition: offset for partition, (offset, _) in (self._committed or {}).items()}
        # A message is behind the group if it was committed, or deleted by the topic's retention. A committed offset
        # beyond the end is of an earlier topic: a late commit may reach a topic of the same name that is new.
        return all(
            max(begins[one], group[one]) >= end and group[one] <= self._ends[one]
            for one, end in ends.items()
            if one in begins
        )

    def look(self) -> None:
        """Read the group's committed offsets; where the brokers do not answer, the last ones still count.

        Raises:
            Unavailable: the brokers have never answered.
        """
        with self._asking:
            try:
                self._ask_for_committed()
            except KafkaException as error:
                unanswered = self._unanswered(error)
                if self._committed is None:
                    raise unanswered from error

    def is_missing_now(self, tx: Transaction) -> bool:
        """Read the group's committed offsets, and say whether the database of ``tx`` has less.

        Raises:
            Unavailable: the brokers have never answered.
        """
        self.look()
        return self.is_missing(stored_offsets.read(tx))

    def is_missing(self, stored: Mapping[Partition, int]) -> bool:
        """Say whether a database that has ``stored`` went back, and lacks messages that the group had handled.

        Read ``stored`` in the transaction that relies on the answer.
        """
        return self._committed is None or bool(forgotten(self._committed, stored))

    def _ask_for_committed(self) -> list[Partition]:
        known = self._asker.list_topics(timeout=_ANSWER_SECONDS).topics
        partitions = [(topic, number) for topic in self._topics if topic in known for number in known[topic].partitions]
        self._committed = committed(self._asker, partitions)
        return partitions

    def _unanswered(self, error: KafkaException) -> Unavailable:
        try:
            successor = Consumer(self._client)  # the old one may have lost its brokers: sagakit.kafka.lost_brokers
        except KafkaException as unusable:  # its TLS files are half written
            return Unavailable(f"Kafka cannot be asked for offsets: {unusable}")
        self._asker.close()
        self._asker = successor
        return Unavailable(f"Kafka cannot be asked for offsets: {error}")

    def _bounds(self, partitions: Sequence[Partition]) -> tuple[_Offsets, _Offsets]:
        """Return the beginning and the end of each partition."""
        begins, ends = _Offsets(), _Offsets()
        for partition in partitions:
            asked = TopicPartition(*partition)
            begins[partition], ends[partition] = self._asker.get_watermark_offsets(asked, timeout=_ANSWER_SECONDS)
        return begins, ends
