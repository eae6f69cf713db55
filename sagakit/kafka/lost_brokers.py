"""Lost-broker detection: notices a Kafka client that reaches no broker any more, though there is one.

A client that asks for metadata while the only broker stops may get an empty list of brokers. It then forgets the
brokers it knew, and asks no broker again until its process ends: librdkafka's issue 5301, open in 2.16. One restart of
the broker in some hundreds does that to a client, and no setting prevents it.
"""

import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaException, Producer
from confluent_kafka.admin import ClusterMetadata

from sagakit.kafka.consumed import NEVER_JOINED

_ANSWER_SECONDS = 2.0


class LostBrokerDetector:
    """Compares, at each check, whether a client gets an answer and whether a new client does."""

    def __init__(self, client: Mapping[str, str | int | float | bool], every_seconds: float) -> None:
        """Check every ``every_seconds``, with the Kafka properties ``client`` for the new client."""
        self._client, self._every = client, every_seconds
        self._next = time.monotonic() + every_seconds
        self._unanswered = False

    def is_lost(self, is_answered: Callable[[], bool]) -> bool:
        """Say whether at two checks in a row ``is_answered`` returned False, and a new client got an answer.

        Call it as often as you like: it checks when it is time. While no broker answers, a check takes four seconds.
        """
        if time.monotonic() < self._next:
            return False
        before, self._unanswered = self._unanswered, not is_answered()
        lost = before and self._unanswered and another_is_answered(self._client)
        if lost:
            self._unanswered = False
        self._next = time.monotonic() + self._every
        return lost


def another_is_answered(client: Mapping[str, str | int | float | bool]) -> bool:
    """Say whether a new client with the Kafka properties ``client`` gets an answer within two seconds."""
    try:
        another = Consumer({**client, "group.id": NEVER_JOINED, "log_level": 0})
    except KafkaException:  # its TLS files are half written
        return False
    try:
        return is_answered(another)
    finally:
        another.close()


def is_answered(client: Consumer | Producer) -> bool:
    """Say whether ``client`` gets an answer within two seconds; a consumer's answer may wait behind its fetch."""
    return metadata(client) is not None


def metadata(client: Consumer | Producer) -> ClusterMetadata | None:
    """Return a broker's metadata of the topics; None where no broker answers ``client`` within two seconds."""
    try:
        found: ClusterMetadata = client.list_topics(timeout=_ANSWER_SECONDS)
    except KafkaException:
        return None
    return found
