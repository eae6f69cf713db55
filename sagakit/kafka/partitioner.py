"""The partitioner: chooses a message's partition by its key, a saga's id, and keeps neighbouring ids together.

Sagas that begin together then pass every later stage together. A hash of the key would spread a burst over all
partitions of each topic: the producer would send as many requests, and the consumer would get as many pieces, each a
transaction with a few messages. The price: a program that joins our topics by key with topics of other producers has to
repartition them.
"""

from collections.abc import Mapping

ANYWHERE = -1
"""Leaves the choice to librdkafka: by a hash of the key where there is one."""
_NEIGHBOURS = 128
"""About the largest number of sagas that begin together. Were it much larger, replicas would work in turns."""
_LONGEST_ID = 19


class Partitioner:
    """Chooses partitions of the topics whose number of partitions it knows."""

    def __init__(self) -> None:
        """Begin without knowing any topic."""
        self._partitions: Mapping[str, int] = {}

    def learn(self, partitions: Mapping[str, int]) -> None:
        """Use these numbers of ``partitions``, by topic, from now on; forget other topics."""
        self._partitions = partitions

    def of(self, topic: str, key: bytes | None) -> int:
        """Return the partition of ``topic`` for ``key``; `ANYWHERE` for an unknown topic or a key that is no id.

        All messages with one key get the same partition, as long as the topic's number of partitions stays.
        """
        count = self._partitions.get(topic)
        if not count or key is None or len(key) > _LONGEST_ID or not key.isdigit():
            return ANYWHERE
        return int(key) // _NEIGHBOURS % count
