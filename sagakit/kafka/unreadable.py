"""Batches that Kafka's client cannot read, and where they end.

Whoever may write to a topic compresses a batch as they like. One may become larger than the client takes, or hold bytes
that the broker's decompressor accepts and ours does not. librdkafka (2.16) then gives an error in the place of its
messages, and fetches the same batch again, for ever: its partition stands still. The error names the batch's first
offset only. Where the batch ends is found by reading from offsets behind that: as long as they lie in the same batch,
the same error comes.
"""

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from sagakit.errors import Unavailable
from sagakit.kafka.consumed import NEVER_JOINED, READING, Place, source

_CODES = {
    KafkaError._BAD_COMPRESSION,  # noqa: SLF001 - its public name
    KafkaError._BAD_MSG,  # noqa: SLF001 - its public name
    KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001 - its public name
}
_BEHIND_ALL = {
    KafkaError._PARTITION_EOF,  # noqa: SLF001 - its public name
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - its public name
}
"""What comes where the offset is the partition's end, and where it lies behind that."""
_ANSWER_SECONDS = 20.0
_ENOUGH_SECONDS = 5.0
_PROPERTIES: dict[str, str | int | float | bool] = {
    **READING,
    "group.id": NEVER_JOINED,
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "allow.auto.create.topics": False,
    "auto.offset.reset": "error",
    "fetch.wait.max.ms": 50,
    "fetch.error.backoff.ms": 10,
    "log_level": 0,
}


def is_unreadable(event: Message) -> bool:
    """Say whether ``event``, which a consumer has given, stands for a batch that it cannot read."""
    error, offset = event.error(), event.offset()
    return error is not None and error.code() in _CODES and offset is not None and offset >= 0


def end_of(client: Mapping[str, str | int | float | bool], place: Place) -> int:
    """Return the offset behind the unreadable batch that begins at ``place``, and behind those that follow it at once.

    ``client`` has the Kafka properties. After some seconds it returns how far it has come, one batch at least.

    Raises:
        Unavailable: the brokers do not answer in time.
        KafkaException: they refuse.
    """
    reader = Consumer({**client, **_PROPERTIES})
    try:
        look = _Look(reader, place)
        give_up, end = time.monotonic() + _ENOUGH_SECONDS, look.end_of_batch(place[2])
        while look.batch_at(end) is not None and time.monotonic() < give_up:
            end = look.end_of_batch(end)
        return end
    finally:
        reader.close()


class _Look:
    """A look at the batches of one partition."""

    def __init__(self, reader: Consumer, place: Place) -> None:
        self._reader, self._topic, self._partition = reader, *place[:2]
        self._seen: dict[int, int | None] = {}

    def end_of_batch(self, begin: int) -> int:
        """Return the offset behind the unreadable batch that begins at ``begin``."""
        inside, step = begin, 1
        while self.batch_at(inside + step) == begin:
            inside, step = inside + step, step * 2
        outside = inside + step
        while outside - inside > 1:
            middle = (inside + outside) // 2
            if self.batch_at(middle) == begin:
                inside = middle
            else:
                outside = middle
        return outside

    def batch_at(self, offset: int) -> int | None:
        """Return where the unreadable batch begins in which ``offset`` lies; None where it lies in none."""
        if offset not in self._seen:
            self._seen[offset] = self._read(offset)
        return self._seen[offset]

    def _read(self, offset: int) -> int | None:
        self._reader.assign([TopicPartition(self._topic, self._partition, offset)])
        give_up = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < give_up:
            event = self._reader.poll(0.5)
            if event is None or event.topic() is None:  # nothing yet, or trouble with a broker
                continue
            if is_unreadable(event):
                return source(event)[2]
            error = event.error()
            if error and error.code() not in _BEHIND_ALL:
                raise KafkaException(error)
            return None
        raise Unavailable(f"{self._topic}-{self._partition} cannot be read from {offset} on")
