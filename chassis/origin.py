"""Origin writes: those that no message brought about, and that no message can therefore bring again.

What such a write has to say is stored in the outbox in its own transaction, and published right after the commit.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from chassis import outbox
from chassis.backlog import Backlog
from chassis.codec import Codec
from chassis.database import in_transaction
from chassis.logs import logger, one_line
from chassis.messages import Encoded, Outgoing
from chassis.producer import Producer

log = logger("origin")

T = TypeVar("T")

_MOST_IN_FLIGHT = 5_000
_DRAIN_SECONDS = 5.0


class Origin:
    """Makes origin writes from the event loop."""

    def __init__(self, engine: AsyncEngine, codec: Codec, producer: Producer, backlog: Backlog) -> None:
        """Write into the database of ``engine``, as long as ``backlog`` has room, and publish through ``producer``."""
        self._engine, self._codec, self._producer, self._backlog = engine, codec, producer, backlog
        self._publishing: set[asyncio.Task[None]] = set()
        self._in_flight = 0
        self._failing = False

    async def write(self, most: int, function: Callable[[Connection, int], tuple[T, Sequence[Outgoing]]]) -> T:
        """Run ``function`` in a transaction, store what it says in the outbox, commit, and return its result.

        It gets the transaction and how many messages there is room for, ``most`` at most; it returns its result and no
        more messages than that. They are published in the background; where that fails the relay does it.

        Raises:
            Unavailable: schemas are not known yet.
            sqlalchemy.exc.OperationalError: the database is away. It may have committed all the same.
        """
        room = self._backlog.reserve(most)
        stored = 0
        try:
            result, messages, ids = await in_transaction(self._engine, lambda tx: self._store(tx, room, function))
            stored = len(ids)
        finally:
            self._backlog.settle(room, stored)
        if stored:
            self._publish_soon(messages, ids)
        return result

    async def drain(self) -> None:
        """Wait until what is being published is gone from the outbox; not for long, as Kafka may be away."""
        if self._publishing:
            await asyncio.wait(self._publishing, timeout=_DRAIN_SECONDS)

    def _store(
        self, tx: Connection, room: int, function: Callable[[Connection, int], tuple[T, Sequence[Outgoing]]]
    ) -> tuple[T, list[Encoded], list[int]]:
        result, outgoing = function(tx, room)
        messages = [self._codec.encode(message) for message in outgoing]
        return result, messages, outbox.add(tx, messages) if messages else []

    def _publish_soon(self, messages: Sequence[Encoded], ids: Sequence[int]) -> None:
        """Publish, unless that would only pile up here: Kafka does not keep up, or fails. Then the relay does it.

        While it fails, one transaction's messages at a time find out whether it still does.
        """
        if self._in_flight + len(messages) > _MOST_IN_FLIGHT or (self._failing and self._publishing):
            return
        self._in_flight += len(messages)
        task = asyncio.create_task(self._publish(messages, ids))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def _publish(self, messages: Sequence[Encoded], ids: Sequence[int]) -> None:
        """Publish what was just committed. Where that fails the rows stay, and the relay publishes them."""
        try:
            await asyncio.wrap_future(self._producer.publish(messages))
            self._backlog.removed(await in_transaction(self._engine, lambda tx: outbox.remove(tx, ids)))
        except Exception as error:  # noqa: BLE001 - what they tell of is stored; nothing is lost
            if not self._failing:
                log.warning("messages are left to the relay", error=one_line(error))
            self._failing = True
        else:
            if self._failing:
                log.info("messages are published at once again")
            self._failing = False
        finally:
            self._in_flight -= len(messages)
