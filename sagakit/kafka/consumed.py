"""Consumed messages: how a client reads them, where they came from, and their headers."""

from operator import methodcaller
from typing import TypeAlias, cast

from confluent_kafka import Message as KafkaMessage

from sagakit.errors import Poison

Partition: TypeAlias = tuple[str, int]
"""A topic, and the number of one of its partitions."""
Place: TypeAlias = tuple[str, int, int]
"""A topic, a partition and an offset."""
NEVER_JOINED = "never-joined"
"""The group that a client names which joins none: librdkafka requires a name, and asks who coordinates that group."""
READING: dict[str, str | int | float | bool] = {"isolation.level": "read_uncommitted"}
"""How every client of ours reads. We write no transactions. With ``read_committed``, another program's open transaction
would block everything behind it until its producer's time-out."""
# Where a name is not UTF-8, the client returns a list with holes and leaves Python's error indicator set. A call that
# Python has specialized does not notice; a call from C, as this one, does, and raises SystemError.
_headers = methodcaller("headers")


def source(message: KafkaMessage) -> tuple[str, int, int]:
    """Return the topic, partition and offset that a consumed message came from."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        msg = "not a consumed message"
        raise ValueError(msg)
    return topic, partition, offset


def headers_of(message: KafkaMessage) -> list[tuple[str, bytes | None]]:
    """Return a consumed message's headers, in their order; a header may have no value.

    Raises:
        Poison: a name is not UTF-8, so that the client can read no header. They are removed from the message, because
            reading what the client left of them would crash the process.
    """
    try:
        # Headers may be set in other forms too, but a consumed message has them in this one.
        return cast("list[tuple[str, bytes | None]]", _headers(message) or [])
    except (UnicodeDecodeError, SystemError) as error:
        message.set_headers([])
        raise Poison("BAD_HEADERS", "a header's name is not UTF-8; none can be read") from error
