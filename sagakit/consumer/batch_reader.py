"""Reads batches: waits for one message, and takes all others that are there with it."""

import time

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Message as KafkaMessage

_CROWD = 4
_GATHER_SECONDS = 0.001


class BatchReader:
    """Takes messages from a consumer, as many at once as are there.

    Messages that were published together lie in several partitions, and the client fetches each of these by itself. So
    where the last batch was a crowd, the rest of this one gets 1 ms to arrive. A message that comes alone never waits.
    """

    def __init__(self, most: int) -> None:
        """Take up to ``most`` messages at once."""
        self._most, self._last = most, 0

    def take(self, consumer: KafkaConsumer, wait_seconds: float) -> list[KafkaMessage]:
        """Wait for one message or event, up to ``wait_seconds``, and take it with what else is there.

        ``consume(n, t)`` alone would wait for all n, or for t.
        """
        first = consumer.poll(wait_seconds)
        if first is None:
            return []
        found = [first]
        self._add(found, consumer)
        if self._last >= _CROWD and len(found) < self._most and _messages(found):
            time.sleep(_GATHER_SECONDS)
            self._add(found, consumer)
        self._last = _messages(found) or self._last
        return found

    def _add(self, found: list[KafkaMessage], consumer: KafkaConsumer) -> None:
        if len(found) < self._most:
            found += consumer.consume(self._most - len(found), 0)


def _messages(found: list[KafkaMessage]) -> int:
    """Count the messages, without the events, such as the end of a partition."""
    return sum(one.error() is None for one in found)
