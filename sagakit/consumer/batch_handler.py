"""What is done with a batch: decode, one transaction, publish; and what cannot be handled is isolated."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import psycopg
from confluent_kafka import Message as KafkaMessage

from sagakit.avro.codec import Codec
from sagakit.consumer.dispatch import Handle
from sagakit.families import passes
from sagakit.kafka.consumed import Partition, headers_of, source
from sagakit.kafka.producer import Producer
from sagakit.messages import TRACEPARENT, Encoded, Message, id_of
from sagakit.offsets import stored_offsets
from sagakit.offsets.handled import Offsets, WentBackError
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Session
from sagakit.records import Record

T = TypeVar("T")

Failed: TypeAlias = list[tuple[KafkaMessage, Exception]]
"""Messages that cannot be handled, each with the error that it fails with by itself."""
_PATIENCE_SECONDS = 2.0
"""How long a batch may be held up by asking the registry in vain."""
_Pair = tuple[KafkaMessage, Message[Record]]


class BatchHandler:
    """Handles the batches of one consumer; for its thread alone."""

    def __init__(self, handle: Handle, codec: Codec, database: Database, producer: Producer, offsets: Offsets) -> None:
        """Have ``handle`` react in transactions of ``database``, and publish what it answers by ``producer``.

        The ``offsets`` of earlier batches are stored with a later one's effects.
        """
        self._handle, self._codec, self._producer, self._offsets = handle, codec, producer, offsets
        self._database = database
        self._connection = database.kept(self._must_not_be_back)

    def handle(self, batch: Sequence[KafkaMessage]) -> Failed:
        """Handle each message of ``batch``; return those that fail alone, twice: the others have their effect.

        One that cannot be decoded for now, such as by a schema that is new while the registry is away, is among those
        that are returned, and so is what lies behind it in its partition.

        Raises:
            Exception: one that passes by itself. What of the batch has its effect may be handled again.
        """
        pairs: list[_Pair] = []
        failed: Failed = []
        waiting: dict[tuple[str, int], Exception] = {}
        give_up = time.monotonic() + _PATIENCE_SECONDS
        for raw in batch:
            if waiting and (before := waiting.get(source(raw)[:2])):
                failed.append((raw, before))
                continue
            try:
                pairs.append((raw, self._decode(raw)))
            except Exception as error:
                failed.append((raw, error))
                if passes(error):
                    if time.monotonic() > give_up:
                        raise
                    waiting[source(raw)[:2]] = error
        return failed + self._try(pairs)

    def stored(self) -> dict[Partition, int]:
        """Return how far the database is; raises psycopg.Error where it does not answer."""
        return self._connection.transact(stored_offsets.read)

    def store(self) -> None:
        """Store the offsets of what was handled, where no batch takes them along.

        Raises:
            psycopg.Error: the database is away.
            WentBackError: it does not have what it had.
        """
        offsets = self._offsets.unstored()
        self._transact(lambda tx: stored_offsets.write(tx, offsets, self._offsets.known))
        self._offsets.stored(offsets)

    def look(self) -> None:
        """See that the database is there and has what it had; raises what `store` does."""
        self._offsets.must_be_stored(self.stored())

    def forget(self) -> None:
        """Forget what may be stale: the connection, with what is prepared on it, and the registry's answers."""
        self._connection.close()
        self._codec.forget()

    def _decode(self, raw: KafkaMessage) -> Message[Record]:
        topic, partition, offset = source(raw)
        headers = dict(headers_of(raw))
        record = self._codec.decode(topic, raw.key(), raw.value(), headers)
        traceparent = headers.get(TRACEPARENT)
        return Message(
            record,
            topic,
            partition,
            offset,
            id_of(headers, topic, partition, offset),
            traceparent.decode(errors="replace") if traceparent else None,
        )

    def _try(self, pairs: Sequence[_Pair], *, again: bool = False) -> Failed:
        """Handle ``pairs``, halving them where they fail; return those that fail alone, twice, with their errors."""
        if not pairs:
            return []
        try:
            self._apply([message for _, message in pairs])
        except Exception as error:
            if passes(error):
                raise
            if len(pairs) > 1:
                middle = len(pairs) // 2
                return self._try(pairs[:middle]) + self._try(pairs[middle:])
            return [(pairs[0][0], error)] if again else self._try(pairs, again=True)
        return []

    def _apply(self, messages: Sequence[Message[Record]]) -> None:
        """Commit the effects of ``messages``, then publish what they answer and wait until Kafka has it."""
        before = self._offsets.along()
        encoded = self._transact(lambda pipeline: self._react(messages, pipeline, before))
        self._offsets.stored(before)
        self._producer.deliver(encoded)

    def _react(
        self, messages: Sequence[Message[Record]], pipeline: Pipeline, before: Mapping[Partition, int]
    ) -> list[Encoded]:
        stored_offsets.write(pipeline, before, self._offsets.known)
        return [self._codec.encode(message) for message in self._handle(messages, pipeline)]

    def _transact(self, function: Callable[[Pipeline], T]) -> T:
        try:
            return self._connection.transact(function)
        except psycopg.Error as error:
            if stored_offsets.has_less(error):
                raise WentBackError(
                    "the database has less than was stored in it: its tables were overwritten"
                ) from error
            raise

    def _must_not_be_back(self, session: Session) -> None:
        """See that the database of a new connection has what the one of the last connection had."""
        with session.pipeline() as tx:
            self._offsets.must_be_in(stored_offsets.read(tx), self._database.timelines.number)
