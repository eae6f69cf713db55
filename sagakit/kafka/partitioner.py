"""Partitioner: the partition of a message, by its key, an order's id: neighbours go together.

Orders that are created together then pass every later stage together. Spread by hash, a burst lies in all partitions of
each topic: that many requests to the broker, and a consumer gets it in as many pieces, each a transaction with a few
messages. In return, whoever joins our topics by key to topics that others have filled must partition them anew.
"""

from collections.abc import Mapping

ANYWHERE = -1
"""What leaves the choice to librdkafka: by a hash of the key where there is one."""
_NEIGHBOURS = 128
"""About the largest groups in which orders are created. Were it many times that, replicas would take turns working."""
_LONGEST_ID = 19


class Partitioner:
    """Places messages on topics whose partitions it knows."""

    def __init__(self) -> None:
        """Know no topic yet."""
        self._partitions: Mapping[str, int] = {}

    def learn(self, partitions: Mapping[str, int]) -> None:
        """Know from now on the topics in ``partitions``, and how many each has."""
        self._partitions = partitions

    def of(self, topic: str, key: bytes | None) -> int:
        """Return the partition of ``topic`` for ``key``, or `ANYWHERE` where that is not known or it is no id.

        All messages with one key get one partition, as long as their topic has as many as it has now.
        """
        count = self._partitions.get(topic)
        if not count or key is None or len(key) > _LONGEST_ID or not key.isdigit():
            return ANYWHERE
        return int(key) // _NEIGHBOURS % count
