"""Dead letters: a message that cannot be processed, bytes untouched, with where it came from and why it is here."""

from datetime import UTC, datetime

from confluent_kafka import Message as KafkaMessage

from chassis import metrics
from chassis.errors import Poison
from chassis.logs import logger
from chassis.messages import Encoded

log = logger("dead_letters")

_LONGEST_ERROR = 1000


def topic_of(group: str) -> str:
    """Return the dead-letter topic of a consumer group."""
    return f"{group}.dlq"


def dead_letter(group: str, message: KafkaMessage, error: Exception) -> Encoded:
    """Return the dead letter for ``message``, and count and log it.

    Its key is ``<topic>-<partition>-<offset>``; its headers are the original ones and, with the prefix
    ``dead-letter-``, the source, the original key, the reason, the error's text and the time.
    """
    topic, partition, offset = source(message)
    reason = error.reason if isinstance(error, Poison) else "HANDLER_ERROR"
    text = str(error) if isinstance(error, Poison) else f"{type(error).__name__}: {error}"
    metrics.DEAD_LETTERS.labels(topic, reason).inc()
    log.error("message parked", topic=topic, partition=partition, offset=offset, reason=reason, error=text[:200])
    headers = {
        "dead-letter-topic": topic,
        "dead-letter-partition": str(partition),
        "dead-letter-offset": str(offset),
        "dead-letter-reason": reason,
        "dead-letter-error": text[:_LONGEST_ERROR],
        "dead-letter-time": datetime.now(UTC).isoformat(),
    }
    added = [(name, value.encode(errors="replace")) for name, value in headers.items()]
    key = message.key()
    if key is not None:
        added.append(("dead-letter-key", key))
    return Encoded(
        topic_of(group),
        f"{topic}-{partition}-{offset}".encode(),
        # A null value would be a tombstone, which marks a dead letter as dealt with.
        message.value() or b"",
        (*headers_of(message), *added),
    )


def source(message: KafkaMessage) -> tuple[str, int, int]:
    """Return the topic, partition and offset a consumed message came from."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        msg = "not a consumed message"
        raise ValueError(msg)
    return topic, partition, offset


def headers_of(message: KafkaMessage) -> list[tuple[str, bytes]]:
    """Return a consumed message's headers, those without a value left out."""
    given = message.headers() or []
    pairs = given.items() if isinstance(given, dict) else given
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs if value is not None]
