"""What every reader of a topic needs: how a client reads, and where a message came from."""

from operator import methodcaller
from typing import TypeAlias, cast

from confluent_kafka import Message as KafkaMessage

from sagakit.errors import Poison

Partition: TypeAlias = tuple[str, int]
"""A topic, and the number of one of its partitions."""
Place: TypeAlias = tuple[str, int, int]
"""A topic, a partition and an offset."""
READING: dict[str, str | int | float | bool] = {"isolation.level": "read_uncommitted"}
"""How everything is read. We write no transactions; one that a stranger leaves open would hold up all that lies behind
it, for as long as its producer has asked for."""
# Where a name is not UTF-8, the client returns a list with holes and leaves the error standing. A call that Python has
# specialized does not see that; one that is made from C does, and raises SystemError.
_headers = methodcaller("headers")


def source(message: KafkaMessage) -> tuple[str, int, int]:
    """Return the topic, partition and offset a consumed message came from."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    if topic is None or partition is None or offset is None:
        msg = "not a consumed message"
        raise ValueError(msg)
    return topic, partition, offset


def headers_of(message: KafkaMessage) -> list[tuple[str, bytes | None]]:
    """Return a consumed message's headers, in their order; a header may have no value.

    Raises:
        Poison: a name is not UTF-8, so that the client can read none of them. They are taken off the message: what the
            client has left of them would end the process if anybody looked.
    """
    try:
        # A message takes its headers in other forms too, but a consumed one has them in this.
        return cast("list[tuple[str, bytes | None]]", _headers(message) or [])
    except (UnicodeDecodeError, SystemError) as error:
        message.set_headers([])
        raise Poison("BAD_HEADERS", "a header's name is not UTF-8; none can be read") from error
