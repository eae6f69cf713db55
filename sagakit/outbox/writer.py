"""Origin writes: a call causes them, and no message, so no message can be read again to repeat them.

The messages of such a write are stored in the outbox, in the write's own transaction, and published after the commit.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg

from sagakit.avro.codec import Codec
from sagakit.errors import NotFound, Unavailable
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Outgoing
from sagakit.outbox import table
from sagakit.outbox.bound import OutboxBound
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.timelines import meets_other_tables
from sagakit.runtime import logs
from sagakit.runtime.logs import logger, one_line
from sagakit.trace_context import TraceContext
from sagakit.tracing.messages import made, transacting

log = logger("outbox")

T = TypeVar("T")

_MOST_IN_FLIGHT = 5_000
_DRAIN_SECONDS = 5.0
_REMOVE_AFTER_SECONDS = 0.1


class OutboxWriter:
    """Writes from the event loop, and publishes in the background."""

    def __init__(self, database: Database, codec: Codec, producer: Producer, bound: OutboxBound) -> None:
        """Write into ``database``, as long as ``bound`` has room, and publish with ``producer``."""
        self._database, self._codec, self._producer, self._bound = database, codec, producer, bound
        self._unsent: list[tuple[Encoded, int]] = []
        self._being_sent = 0
        self._publishing: asyncio.Task[None] | None = None
        self._failing = False
        self._published: list[int] = []
        self._removing: asyncio.Task[None] | None = None

    async def write(
        self,
        most: int,
        function: Callable[[Transaction, int], tuple[T, Sequence[Outgoing]]],
        beneath: Iterable[TraceContext | None] = (),
    ) -> T:
        """Run ``function`` in a transaction, store its messages in the outbox, commit, and return its result.

        ``function`` gets the transaction, and for how many messages there is room, ``most`` at most. It returns its
        result and no more messages than that. They are published in the background; where that fails the relay does it.
        ``beneath`` are the places in traces of the calls that share the transaction.
        Where the caller is cancelled, all of this is done all the same.

        Raises:
            Unavailable: schemas are not known yet, or the database may have gone back: it would give ids away again.
            psycopg.OperationalError: the database is away. It may have committed all the same.
        """
        # The transaction goes on without its caller. If we did not, its rows would take room that nobody counts.
        return await asyncio.shield(self._write(most, function, beneath))

    async def drain(self) -> None:
        """Publish what waits, and remove it from the outbox; for five seconds at most, as Kafka may be away."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                if self._publishing:
                    await asyncio.wait([self._publishing])
                await self._remove()
        except Exception as error:  # noqa: BLE001 - the relay publishes them again
            log.warning("messages are left to the relay", error=one_line(error))

    async def _write(
        self,
        most: int,
        function: Callable[[Transaction, int], tuple[T, Sequence[Outgoing]]],
        beneath: Iterable[TraceContext | None],
    ) -> T:
        room = self._bound.reserve(most)
        stored = 0
        try:
            with self._taking_published() as published, transacting(most, beneath):
                result, messages, rows = await self._database.run(lambda tx: self._store(tx, room, function, published))
            ids = [row.outbox_id for row in rows]
            stored = len(ids)
        except psycopg.Error as error:
            if not meets_other_tables(error):
                raise
            self._database.connect_anew()  # a new connection shows that the history is another one
            raise Unavailable("the database's tables were overwritten; what they lack is not restored yet") from error
        finally:
            self._bound.settle(room, stored)
        if stored:
            made(messages)
            self._publish_soon(messages, ids)
        return result

    def _store(
        self,
        tx: Transaction,
        room: int,
        function: Callable[[Transaction, int], tuple[T, Sequence[Outgoing]]],
        published: Sequence[int],
    ) -> tuple[T, list[Encoded], Iterable[Any]]:
        timelines = self._database.timelines
        # Another thread may find another history at any moment. If the tables were read after the check, they might be
        # those of a history that was not checked.
        tables = timelines.tables
        timelines.must_be_whole()
        if published:
            table.remove(tx, published)
        try:
            result, outgoing = function(tx, room)
        except NotFound:
            timelines.must_still_be_whole(tx)
            raise
        messages = [self._codec.encode(message) for message in outgoing]
        if not messages:
            return result, [], []
        rows = table.add(tx, messages)
        timelines.must_have(tx, tables)
        return result, messages, rows

    def _publish_soon(self, messages: Sequence[Encoded], ids: Sequence[int]) -> None:
        """Publish in the background; leave it to the relay where Kafka fails, or does not keep up.

        While Kafka fails, the messages of one transaction at a time show whether it still does.
        """
        in_flight = self._being_sent + len(self._unsent)
        if in_flight + len(messages) > _MOST_IN_FLIGHT or (self._failing and self._publishing):
            return
        self._unsent += zip(messages, ids, strict=True)
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        """Publish what was committed, all that waits at once; what is committed meanwhile goes next, together."""
        logs.speak_of(None)  # the call that began this task is one among those whose messages it publishes
        try:
            while self._unsent:
                unsent, self._unsent = self._unsent, []
                self._being_sent = len(unsent)
                await self._deliver(unsent)
        finally:
            self._being_sent = 0
            self._publishing = None

    async def _deliver(self, unsent: Sequence[tuple[Encoded, int]]) -> None:
        """Publish ``unsent``. Where that fails, the relay does it, and publishes what waits behind it as well."""
        try:
            await asyncio.to_thread(self._producer.deliver, [message for message, _ in unsent])
        except Exception as error:  # noqa: BLE001 - they are stored in the outbox; nothing is lost
            if not self._failing:
                log.warning("messages are left to the relay", error=one_line(error))
            self._failing = True
            self._unsent.clear()
        else:
            if self._failing:
                log.info("messages are published at once again")
            self._failing = False
            self._published += (row for _, row in unsent)
            if self._removing is None:
                self._removing = asyncio.create_task(self._remove_soon())

    async def _remove_soon(self) -> None:
        """Remove published rows that no other write has removed by then: a write does it without a transaction more."""
        logs.speak_of(None)
        try:
            await asyncio.sleep(_REMOVE_AFTER_SECONDS)
            await self._remove()
        except Exception as error:  # noqa: BLE001 - the next write removes them, or the relay repeats them
            log.warning("published messages are still in the outbox", error=one_line(error))
        finally:
            self._removing = None

    async def _remove(self) -> None:
        with self._taking_published() as published:
            if published:
                await self._database.run(lambda tx: table.remove(tx, published))

    @contextmanager
    def _taking_published(self) -> Iterator[Sequence[int]]:
        """Give the rows that Kafka has to a transaction that removes them; keep them where it fails."""
        published, self._published = self._published, []
        try:
            yield published
        except BaseException:
            self._published += published
            raise
        self._bound.removed(len(published))
