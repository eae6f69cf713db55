"""Whether a consumer group has handled what lay on its topics a moment ago.

Whoever acts because nothing was heard has to know first that nothing lies unread: after an outage the answers may all
be there, waiting in the topics.
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
    """Compares a group's committed offsets with where its topics ended when it looked last.

    It asks as a consumer that joins nothing: librdkafka's admin client may abort the whole process where a broker goes
    away while it is being asked.
    """

    def __init__(self, client: Mapping[str, str | int | float | bool], group: str, topics: Sequence[str]) -> None:
        """Look with the Kafka properties ``client`` at the ``topics`` that ``group`` consumes."""
        self._client = {**client, **READING, "group.id": group, "enable.auto.commit": False}
        self._asker = Consumer(self._client)
        self._asking = threading.Lock()
        self._topics = topics
        self._ends: _Offsets = {}
        self._committed: dict[Partition, tuple[int, bool]] | None = None
        self._looked = float("-inf")

    def is_handled(self) -> bool:
        """Say whether all that was there at the last look has been handled by now, by whichever replica.

        Call it every second or so: where the last look is more than ten seconds ago, or there was none, it says no.

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
        # What is behind the group was committed, or deleted by the topic's retention. An offset beyond the end
        # speaks of a topic that is no more: a commit names its topic, and may come when that has been made anew.
        return all(
            max(begins[one], group[one]) >= end and group[one] <= self._ends[one]
            for one, end in ends.items()
            if one in begins
        )

    def look(self) -> None:
        """Learn how far the group is; where the brokers do not answer, what was learned last counts.

        Raises:
            Unavailable: they have never answered.
        """
        with self._asking:
            try:
                self._ask_for_committed()
            except KafkaException as error:
                unanswered = self._unanswered(error)
                if self._committed is None:
                    raise unanswered from error

    def is_missing_now(self, tx: Transaction) -> bool:
        """Learn how far the group is, and say whether the database of ``tx`` lacks something of it.

        Raises:
            Unavailable: the brokers have never answered.
        """
        self.look()
        return self.is_missing(stored_offsets.read(tx))

    def is_missing(self, stored: Mapping[Partition, int]) -> bool:
        """Say whether a database that has ``stored`` went back and lacks what the group had handled by the last look.

        It takes ``stored`` from the transaction that is to rely on the answer.
        """
        return self._committed is None or bool(forgotten(self._committed, stored))

    def _ask_for_committed(self) -> list[Partition]:
        known = self._asker.list_topics(timeout=_ANSWER_SECONDS).topics
        partitions = [(topic, number) for topic in self._topics if topic in known for number in known[topic].partitions]
        self._committed = committed(self._asker, partitions)
        return partitions

    def _unanswered(self, error: KafkaException) -> Unavailable:
        self._asker.close()
        self._asker = Consumer(self._client)  # this one may have forgotten every broker: see sagakit.kafka.lost_brokers
        return Unavailable(f"Kafka cannot be asked for offsets: {error}")

    def _bounds(self, partitions: Sequence[Partition]) -> tuple[_Offsets, _Offsets]:
        """Return where each partition begins and where it ends."""
        begins, ends = _Offsets(), _Offsets()
        for partition in partitions:
            asked = TopicPartition(*partition)
            begins[partition], ends[partition] = self._asker.get_watermark_offsets(asked, timeout=_ANSWER_SECONDS)
        return begins, ends
