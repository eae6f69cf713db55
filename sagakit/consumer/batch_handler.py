"""What is done with a batch: decode, one transaction, publish. Messages that cannot be handled are isolated."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import psycopg
from confluent_kafka import Message as KafkaMessage

from sagakit.avro.codec import Codec
from sagakit.consumer.dispatch import Handle
from sagakit.families import passes
from sagakit.kafka.consumed import Partition, headers_of, source
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Message, id_of, said_of
from sagakit.offsets import stored_offsets
from sagakit.offsets.handled import Offsets, WentBackError
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Session
from sagakit.records import Record
from sagakit.runtime import logs, metrics
from sagakit.trace_context import trace_of
from sagakit.tracing.batches import Handled, Handling
from sagakit.tracing.messages import made, transacting

T = TypeVar("T")

Failed: TypeAlias = list[tuple[KafkaMessage, Exception]]
"""Messages that cannot be handled, each with the error that it alone fails with."""
_REGISTRY_SECONDS = 2.0
"""How long one batch may ask a registry that does not answer."""
_Pair = tuple[KafkaMessage, Message[Record]]


class BatchHandler:
    """Handles the batches of one consumer; for its thread alone."""

    def __init__(  # noqa: PLR0913, PLR0917 - each is a part that it is wired from
        self, group: str, handle: Handle, codec: Codec, database: Database, producer: Producer, offsets: Offsets
    ) -> None:
        """Call ``handle`` for ``group`` in transactions of ``database``, and publish its answers with ``producer``.

        A batch's ``offsets`` are stored in the transaction of a later batch.
        """
        self._spans = Handling(group)
        self._handle, self._codec, self._producer, self._offsets = handle, codec, producer, offsets
        self._database = database
        self._connection = database.kept(self._must_not_be_back)

    def handle(self, batch: Sequence[KafkaMessage]) -> Failed:
        """Handle each message of ``batch``; return those that fail alone, twice. All others have had their effect.

        A message that cannot be decoded now, because the registry is away and its schema is new, is returned too, and
        so is what lies behind it in its partition.

        Raises:
            Exception: one that passes by itself. Messages that have had their effect may be handled again.
        """
        with self._spans.batch(len(batch)) as spans:
            failed = self._handle_all(batch, spans)
            for raw, error in failed:
                spans.failed(source(raw), error)
        return failed

    def _handle_all(self, batch: Sequence[KafkaMessage], spans: Handled) -> Failed:
        pairs: list[_Pair] = []
        failed: Failed = []
        waiting: dict[tuple[str, int], Exception] = {}
        lay_at = time.monotonic()
        give_up = lay_at + _REGISTRY_SECONDS
        for raw in batch:
            if waiting and (before := waiting.get(source(raw)[:2])):
                failed.append((raw, before))
                continue
            try:
                pairs.append((raw, self._decode(raw, lay_at, spans)))
            except Exception as error:
                failed.append((raw, error))
                if passes(error):
                    if time.monotonic() > give_up:
                        raise
                    waiting[source(raw)[:2]] = error
        return failed + self._try(pairs)

    def stored(self) -> dict[Partition, int]:
        """Return the offsets that the database has stored; raises psycopg.Error where it does not answer."""
        return self._connection.transact(stored_offsets.read)

    def store(self) -> None:
        """Store the offsets of what was handled, in a transaction of their own, as no batch follows.

        Raises:
            psycopg.Error: the database is away.
            WentBackError: it does not have what it had.
        """
        offsets = self._offsets.unstored()
        self._transact(lambda tx: stored_offsets.write(tx, offsets, self._offsets.known))
        self._offsets.stored(offsets)

    def look(self) -> None:
        """Check that the database is there and has what it had; raises what `store` does."""
        self._offsets.must_be_stored(self.stored())

    def forget(self) -> None:
        """Forget what may be stale: the connection with its prepared statements, and the registry's answers."""
        self._connection.close()
        self._codec.forget()

    def _decode(self, raw: KafkaMessage, lay_at: float, spans: Handled) -> Message[Record]:
        topic, partition, offset = source(raw)
        pairs = headers_of(raw)
        headers = dict(pairs)
        trace = spans.taken(trace_of(pairs), (topic, partition, offset))
        record = self._codec.decode(topic, raw.key(), raw.value(), headers, lay_at)
        return Message(record, topic, partition, offset, id_of(headers, topic, partition, offset), trace)

    def _try(self, pairs: Sequence[_Pair], *, again: bool = False) -> Failed:
        """Handle ``pairs``, and halve them where they fail; return those that fail alone, twice, with their errors."""
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
        """Commit the effects of ``messages``, then publish the answers and wait until Kafka has them."""
        logs.speak_of(partial(_of_its_message, messages))
        try:
            before = self._offsets.along()
            began = time.perf_counter()
            with transacting(len(messages), (message.trace for message in messages)):
                encoded = self._transact(lambda pipeline: self._react(messages, pipeline, before))
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - began)
        finally:
            logs.speak_of(None)
        made(encoded)
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
        """Check that a new connection's database has all that the last connection's had."""
        with session.pipeline() as tx:
            self._offsets.must_be_in(stored_offsets.read(tx), self._database.timelines.number)


def _of_its_message(messages: Sequence[Message[Record]], line: Mapping[str, Any]) -> Mapping[str, object]:
    """Return what ``line`` says of the message that it is about: the only one, or the last of a key that it names."""
    keys = {value for name, value in line.items() if name.endswith("_id")}
    found = [one for one in messages if len(messages) == 1 or one.record.key in keys]
    return said_of(found[-1].message_id, found[-1].trace) if found else {}
