"""Whether a consumer group has handled what lay on its topics a moment ago.

Whoever acts because nothing was heard has to know first that nothing lies unread: after an outage the answers may all
be there, waiting in the topics.
"""

import time
from collections.abc import Mapping, Sequence

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from chassis.errors import Unavailable

_ANSWER_SECONDS = 5.0
_STALE_SECONDS = 10.0

_Offsets = dict[tuple[str, int], int]


class Lag:
    """Compares a group's committed offsets with where its topics ended when it looked last."""

    def __init__(self, client: Mapping[str, str | int | float | bool], group: str, topics: Sequence[str]) -> None:
        """Look with the Kafka properties ``client`` at the ``topics`` that ``group`` consumes."""
        self._admin = AdminClient(dict(client))
        self._group, self._topics = group, topics
        self._ends: _Offsets = {}
        self._looked = float("-inf")

    def is_handled(self) -> bool:
        """Say whether all that was there at the last look has been handled by now, by whichever replica.

        Call it every second or so: where the last look is more than ten seconds ago, or there was none, it says no.

        Raises:
            Unavailable: the brokers do not answer.
        """
        ends, looked = self._ends, self._looked
        try:
            partitions = self._partitions()
            reached = self._reached(partitions)
            self._ends = self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        except KafkaException as error:
            self._looked = float("-inf")
            msg = f"Kafka cannot be asked for offsets: {error}"
            raise Unavailable(msg) from error
        self._looked = time.monotonic()
        if self._looked - looked > _STALE_SECONDS:
            return False
        return all(reached.get(partition, 0) >= end for partition, end in ends.items() if partition in reached)

    def _partitions(self) -> list[tuple[str, int]]:
        known = self._admin.list_topics(timeout=_ANSWER_SECONDS).topics
        return [(topic, number) for topic in self._topics if topic in known for number in known[topic].partitions]

    def _reached(self, partitions: Sequence[tuple[str, int]]) -> _Offsets:
        """Return what is behind the group in each partition: committed, or deleted by the topic's retention."""
        asked = ConsumerGroupTopicPartitions(self._group, [TopicPartition(*partition) for partition in partitions])
        future = self._admin.list_consumer_group_offsets([asked], request_timeout=_ANSWER_SECONDS)[self._group]
        committed = {(found.topic, found.partition): found.offset for found in future.result().topic_partitions}
        begins = self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        return {partition: max(begins[partition], committed.get(partition, 0)) for partition in partitions}

    def _offsets(self, partitions: Sequence[tuple[str, int]], which: OffsetSpec) -> _Offsets:
        asked = {TopicPartition(*partition): which for partition in partitions}
        futures = self._admin.list_offsets(asked, request_timeout=_ANSWER_SECONDS)
        return {(found.topic, found.partition): future.result().offset for found, future in futures.items()}
