"""Wakes those who wait for a change: one PostgreSQL NOTIFY per committed batch reaches every replica.

Where nobody follows, nothing is notified: PostgreSQL has all transactions that notify commit one after the other,
whatever their database. Who follows holds a lock that says so, which whoever changes something tries to take.

A notification has a line for each thing that changed: its id and, where that is told, a blank and its *news*, which
spares whoever follows the thing to look what became of it.
"""

import asyncio
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import psycopg

from sagakit.errors import Unavailable
from sagakit.postgres.address import LISTENING, DatabaseAddress
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.sql import array
from sagakit.runtime.logs import logger, one_line

log = logger("changes")

_LINGER_SECONDS = 30.0
"""How long it listens on once nobody follows any more."""
_LOOK_SECONDS = 10.0
_BACKOFF_SECONDS = 0.5
_LONGEST_NEWS = 1_000
"""In characters. Of what is longer no news is told."""
_PART_BYTES = 3_900
"""After so much comes one line more, of up to four bytes a character; PostgreSQL lets a notification have 7,999."""
# Who changes something keeps the lock until the commit: so a follower, who waits for it, looks after that.
_NOTIFY = """
    SELECT pg_notify(%(channel)s, string_agg(line, E'\\n')) FROM (
        SELECT line, sum(octet_length(line) + 1) OVER (ORDER BY id ROWS UNBOUNDED PRECEDING) / %(part)s AS part FROM (
            SELECT id, CASE WHEN length(news) <= %(longest)s THEN id || ' ' || news ELSE id::text END AS line
            FROM ({select}) AS changed) AS lines) AS parts
    WHERE (SELECT NOT pg_try_advisory_xact_lock(%(lock)s))
    GROUP BY part
"""
_WITHOUT_NEWS = "SELECT id, NULL::text AS news FROM unnest(%(ids)s::bigint[]) AS id"
_FOLLOW = "SELECT pg_advisory_lock_shared(%s)"


def notify(transaction: Transaction, channel: str, ids: Iterable[int]) -> None:
    """Have everyone who follows ``channel``, in every process, look at ``ids`` once ``transaction`` commits."""
    notify_news(transaction, channel, _WITHOUT_NEWS, {"ids": array(ids)})


def notify_news(transaction: Transaction, channel: str, select: str, parameters: Mapping[str, object]) -> None:
    """Tell everyone who follows ``channel``, in every process, what has changed, once ``transaction`` commits.

    ``select`` is a query, a constant, that finds the ``id`` of what changed and its ``news``, one line of text. Where
    nobody follows it is not even run.
    """
    given = {"channel": channel, "lock": _lock(channel), "longest": _LONGEST_NEWS, "part": _PART_BYTES}
    transaction.execute(_NOTIFY.format(select=select), {**given, **parameters})


def _lock(channel: str) -> int:
    return zlib.crc32(channel.encode())


class Follower:
    """What has changed since it was last asked."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._changed: dict[int, str] = {}
        self._missed = False
        self._something = asyncio.Event()

    async def next(self, within_seconds: float | None = None) -> dict[int, str] | None:
        """Wait until something has changed and return it; None where notifications may have been missed.

        So it does after ``within_seconds`` as well: a notification may be lost with its connection. Each id has its
        news, which is empty where there is none, or where it changed more than once.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        except TimeoutError:
            return None
        self._something.clear()
        changed, missed = self._changed, self._missed
        self._changed, self._missed = {}, False
        return None if missed else changed

    def tell(self, changes: Mapping[int, str]) -> None:
        """Note ``changes``: ids and their news."""
        self._changed.update({one: "" if one in self._changed else news for one, news in changes.items()})
        self._something.set()

    def tell_missed(self) -> None:
        """Note that anything may have changed."""
        self._missed = True
        self._something.set()


class NotificationListener:
    """Tells the event loop of this process what on a channel has changed.

    It listens only while somebody follows: under load the notifications would be a tenth of the process's work.
    """

    def __init__(self, address: DatabaseAddress, channel: str) -> None:
        """Listen on ``channel`` of the database at ``address`` once `run` runs."""
        self._address, self._channel = address, channel
        self._followers: dict[int | None, set[Follower]] = {}
        self._wanted = asyncio.Event()
        self._left = float("-inf")

    @contextmanager
    def follow(self, only: int | None = None) -> Iterator[Follower]:
        """Follow the ids of what changes, or one id. Begin before reading the state: so no change is missed."""
        follower = Follower()
        self._followers.setdefault(only, set()).add(follower)
        self._wanted.set()
        try:
            yield follower
        finally:
            self._followers[only].discard(follower)
            if not self._followers[only]:
                del self._followers[only]
            self._left = time.monotonic()

    async def run(self) -> None:
        """Listen while that is wanted, until cancelled; a lost connection is made anew."""
        while True:
            await self._wanted.wait()
            try:
                async with await self._address.connect_async(LISTENING) as connection:
                    await self._listen(connection)
            except (psycopg.Error, Unavailable) as error:
                log.warning("change feed interrupted", error=one_line(error))
                await asyncio.sleep(_BACKOFF_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        """Tell what is notified as soon as it can be read; psycopg's own loop takes several turns for each of them.

        Raises:
            psycopg.OperationalError: the connection is lost.
        """
        loop, socket = asyncio.get_running_loop(), connection.fileno()
        lost: asyncio.Future[None] = loop.create_future()

        def hear() -> None:
            try:
                connection.pgconn.consume_input()
                while notification := connection.pgconn.notifies():
                    self._tell(notification.extra.decode())
            except psycopg.Error as error:
                loop.remove_reader(socket)
                lost.set_exception(error)

        await connection.execute(_FOLLOW, [_lock(self._channel)])
        await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._channel)))
        loop.add_reader(socket, hear)
        try:
            self._tell_missed()
            while self._is_wanted() and not lost.done():
                await asyncio.wait([lost], timeout=_LOOK_SECONDS)
        finally:
            loop.remove_reader(socket)
        if lost.done():
            lost.result()

    def _is_wanted(self) -> bool:
        if self._followers or time.monotonic() - self._left < _LINGER_SECONDS:
            return True
        self._wanted.clear()
        return False

    def _tell_missed(self) -> None:
        """Have everyone look again."""
        for followers in self._followers.values():
            for follower in followers:
                follower.tell_missed()

    def _tell(self, payload: str) -> None:
        try:
            changes = {int(one): news for one, _, news in (line.partition(" ") for line in payload.split("\n"))}
        except ValueError:  # a replica of another version says it otherwise
            self._tell_missed()
            return
        for follower in self._followers.get(None, ()):
            follower.tell(changes)
        for only in changes.keys() & self._followers.keys():
            for follower in self._followers[only]:
                follower.tell({only: changes[only]})
