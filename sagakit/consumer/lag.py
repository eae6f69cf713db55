"""How many messages of each topic a consumer has yet to handle, by what its client knows already."""

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaException, TopicPartition
from prometheus_client import Gauge

from sagakit.kafka.consumed import Partition
from sagakit.offsets.handled import Offsets

_LAG = Gauge(
    "sagakit_consumer_lag_messages",
    "Messages that this process has yet to handle in its partitions, by what it fetched last.",
    ["topic"],
)
_SECONDS = 1.0


class ConsumerLag:
    """Shows the lag of one consumer; used by its thread alone."""

    def __init__(self, topics: Sequence[str], offsets: Offsets) -> None:
        """Show the lag of ``topics``, which are handled as far as ``offsets`` says."""
        self._offsets = offsets
        self._topics = {topic: _LAG.labels(topic) for topic in topics}
        self._looked = 0.0

    def look(self, client: Consumer, owned: Iterable[Partition]) -> None:
        """Show it now, if a second has passed since; call it as often as you like.

        Each answer to a fetch says where the partition ends, so nothing is asked of a broker.
        """
        now = time.monotonic()
        if now - self._looked < _SECONDS:
            return
        self._looked = now
        lag = Counter[str]()
        for topic, number in owned:
            lag[topic] += self._of(client, (topic, number))
        for topic, shown in self._topics.items():
            shown.set(lag[topic])

    def _of(self, client: Consumer, partition: Partition) -> int:
        try:
            known = client.get_watermark_offsets(TopicPartition(*partition), cached=True)
        except KafkaException:  # it has not been fetched from yet
            return 0
        begin, end = known or (-1, -1)
        handled = max(self._offsets.reached(partition), self._offsets.known.get(partition, -1), begin)
        return max(0, end - handled)
