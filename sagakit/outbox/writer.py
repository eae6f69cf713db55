"""Origin writes: those that no message brought about, and that no message can therefore bring again.

What such a write has to say is stored in the outbox in its own transaction, and published right after the commit.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sagakit.avro.codec import Codec
from sagakit.kafka.producer import Producer
from sagakit.messages import Encoded, Outgoing
from sagakit.outbox import table
from sagakit.outbox.bound import OutboxBound
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.runtime.logs import logger, one_line

log = logger("origin")

T = TypeVar("T")

_MOST_IN_FLIGHT = 5_000
_DRAIN_SECONDS = 5.0
_REMOVE_AFTER_SECONDS = 0.1


class OutboxWriter:
    """Makes origin writes from the event loop."""

    def __init__(self, database: Database, codec: Codec, producer: Producer, backlog: OutboxBound) -> None:
        """Write into ``database``, as long as ``backlog`` has room, and publish through ``producer``."""
        self._database, self._codec, self._producer, self._backlog = database, codec, producer, backlog
        self._unsent: list[tuple[Encoded, int]] = []
        self._being_sent = 0
        self._publishing: asyncio.Task[None] | None = None
        self._failing = False
        self._published: list[int] = []
        self._removing: asyncio.Task[None] | None = None

    async def write(self, most: int, function: Callable[[Transaction, int], tuple[T, Sequence[Outgoing]]]) -> T:
        """Run ``function`` in a transaction, store what it says in the outbox, commit, and return its result.

        It gets the transaction and how many messages there is room for, ``most`` at most; it returns its result and no
        more messages than that. They are published in the background; where that fails the relay does it.

        Raises:
            Unavailable: schemas are not known yet.
            psycopg.OperationalError: the database is away. It may have committed all the same.
        """
        room = self._backlog.reserve(most)
        stored = 0
        try:
            with self._taking_published() as published:
                result, messages, rows = await self._database.run(lambda tx: self._store(tx, room, function, published))
            ids = [row.outbox_id for row in rows]
            stored = len(ids)
        finally:
            self._backlog.settle(room, stored)
        if stored:
            self._publish_soon(messages, ids)
        return result

    async def drain(self) -> None:
        """Wait until what is being published is gone from the outbox; not for long, as Kafka may be away."""
        try:
            async with asyncio.timeout(_DRAIN_SECONDS):
                if self._publishing:
                    await asyncio.wait([self._publishing])
                await self._remove()
        except Exception as error:  # noqa: BLE001 - the relay publishes them again
            log.warning("messages are left to the relay", error=one_line(error))

    def _store(
        self,
        tx: Transaction,
        room: int,
        function: Callable[[Transaction, int], tuple[T, Sequence[Outgoing]]],
        published: Sequence[int],
    ) -> tuple[T, list[Encoded], Iterable[Any]]:
        if published:
            table.remove(tx, published)
        result, outgoing = function(tx, room)
        messages = [self._codec.encode(message) for message in outgoing]
        return result, messages, table.add(tx, messages) if messages else []

    def _publish_soon(self, messages: Sequence[Encoded], ids: Sequence[int]) -> None:
        """Publish, unless that would only pile up here: Kafka does not keep up, or fails. Then the relay does it.

        While it fails, one transaction's messages at a time find out whether it still does.
        """
        in_flight = self._being_sent + len(self._unsent)
        if in_flight + len(messages) > _MOST_IN_FLIGHT or (self._failing and self._publishing):
            return
        self._unsent += zip(messages, ids, strict=True)
        if self._publishing is None:
            self._publishing = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        """Publish what was committed, all that there is at a time: what comes meanwhile goes next, together."""
        try:
            while self._unsent:
                unsent, self._unsent = self._unsent, []
                self._being_sent = len(unsent)
                await self._deliver(unsent)
        finally:
            self._being_sent = 0
            self._publishing = None

    async def _deliver(self, unsent: Sequence[tuple[Encoded, int]]) -> None:
        """Publish ``unsent``. Where that fails it is left to the relay, and so is what waits behind it."""
        try:
            await asyncio.to_thread(self._producer.deliver, [message for message, _ in unsent])
        except Exception as error:  # noqa: BLE001 - what they tell of is stored; nothing is lost
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
        """Remove what no other write has taken along: as long as there are writes, that costs no transaction."""
        try:
            await asyncio.sleep(_REMOVE_AFTER_SECONDS)
            await self._remove()
        except Exception as error:  # noqa: BLE001 - the next write takes them along, or the relay repeats them
            log.warning("published messages are still in the outbox", error=one_line(error))
        finally:
            self._removing = None

    async def _remove(self) -> None:
        with self._taking_published() as published:
            if published:
                await self._database.run(lambda tx: table.remove(tx, published))

    @contextmanager
    def _taking_published(self) -> Iterator[Sequence[int]]:
        """Take the rows that Kafka has, for a transaction that removes them; where it fails they are kept."""
        published, self._published = self._published, []
        try:
            yield published
        except BaseException:
            self._published += published
            raise
        self._backlog.removed(len(published))
