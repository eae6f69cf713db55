"""Notify and listen: one PostgreSQL NOTIFY for each committed batch wakes those in every replica who wait for a change.

Where nobody follows, nothing is notified, because PostgreSQL commits transactions that notify one after the other, in
all databases. Whoever follows holds a shared lock. Whoever changes something tries to take that lock, and notifies
where it cannot.

A notification has a line for each thing that changed: its id and, if there are any, a blank and its *news*. With news,
a follower need not read what has become of the thing.
"""

import asyncio
import time
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain

import psycopg

from sagakit.errors import Unavailable
from sagakit.postgres.address import LISTENING, DatabaseAddress
from sagakit.postgres.followers import Follower, FollowerOfAll, FollowerOfOne, Recent
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.sql import array
from sagakit.runtime.logs import logger, one_line

log = logger("notifications")

_LINGER_SECONDS = 30.0
"""How long it goes on listening once nobody follows."""
_LOOK_SECONDS = 10.0
_BACKOFF_SECONDS = 0.5
_LONGEST_NEWS = 1_000
"""In characters. Longer news are left out."""
_PART_BYTES = 3_900
"""A notification takes lines until it has so many. The last may have four bytes a character; 7,999 are allowed."""
# Who changes something holds the lock until the commit. A new follower waits for it, and so reads after the commit.
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
    """Send everyone who follows ``channel``, in every process, what has changed, once ``transaction`` commits.

    ``select`` is a constant query for the ``id`` of each thing that changed and its ``news``, one line of text. Where
    nobody follows it is not run.
    """
    given = {"channel": channel, "lock": _lock(channel), "longest": _LONGEST_NEWS, "part": _PART_BYTES}
    transaction.execute(_NOTIFY.format(select=select), {**given, **parameters})


def _lock(channel: str) -> int:
    return zlib.crc32(channel.encode())


class NotificationListener:
    """Listens on a channel, and passes on what has changed to those who follow in this process's event loop.

    It listens only while somebody follows: under load, notifications would be a tenth of the process's work.
    """

    def __init__(self, address: DatabaseAddress, channel: str) -> None:
        """Listen on ``channel`` of the database at ``address`` once `run` runs."""
        self._address, self._channel = address, channel
        self._of_one: dict[int, set[FollowerOfOne]] = {}
        self._of_all: set[FollowerOfAll] = set()
        self._recent = Recent()
        self._wanted, self._listening = asyncio.Event(), asyncio.Event()
        self._left = float("-inf")

    @contextmanager
    def follow(self, only: int | None = None) -> Iterator[Follower]:
        """Follow whatever changes, or one id. Begin before you read the state, so that no change is missed."""
        self._wanted.set()
        try:
            with self._following_all() if only is None else self._following(only) as follower:
                yield follower
        finally:
            self._left = time.monotonic()

    async def listens(self, within_seconds: float) -> bool:
        """Wait until it listens, and say whether that was so ``within_seconds``.

        Whoever follows hears of whatever changes from then on, unless the connection is lost. Where only the latest
        state counts nobody needs to wait: as soon as it listens, whoever follows is told to look.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._listening.wait()
        except TimeoutError:
            return False
        return True

    @contextmanager
    def _following_all(self) -> Iterator[Follower]:
        follower = FollowerOfAll(self._recent)
        self._of_all.add(follower)
        try:
            yield follower
        finally:
            self._of_all.discard(follower)

    @contextmanager
    def _following(self, one: int) -> Iterator[Follower]:
        follower = FollowerOfOne()
        self._of_one.setdefault(one, set()).add(follower)
        try:
            yield follower
        finally:
            self._of_one[one].discard(follower)
            if not self._of_one[one]:
                del self._of_one[one]

    async def run(self) -> None:
        """Listen while that is wanted, until cancelled; a lost connection is made anew."""
        while True:
            await self._wanted.wait()
            try:
                async with await self._address.connect_async(LISTENING) as connection:
                    await self._listen(connection)
            except (psycopg.Error, Unavailable) as error:
                log.warning("listening interrupted", error=one_line(error))
                await asyncio.sleep(_BACKOFF_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        """Pass on each notification as soon as it can be read; psycopg's own loop takes several turns for each.

        Raises:
            psycopg.OperationalError: the connection is lost.
        """
        loop, socket = asyncio.get_running_loop(), connection.fileno()
        lost: asyncio.Future[None] = loop.create_future()

        def receive() -> None:
            try:
                connection.pgconn.consume_input()
                while notification := connection.pgconn.notifies():
                    self._note(notification.extra.decode())
            except psycopg.Error as error:
                loop.remove_reader(socket)
                lost.set_exception(error)

        await connection.execute(_FOLLOW, [_lock(self._channel)])
        await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._channel)))
        loop.add_reader(socket, receive)
        try:
            self._note_missed()
            self._listening.set()
            while self._is_wanted() and not lost.done():
                await asyncio.wait([lost], timeout=_LOOK_SECONDS)
        finally:
            self._listening.clear()
            loop.remove_reader(socket)
        if lost.done():
            lost.result()

    def _is_wanted(self) -> bool:
        if self._of_one or self._of_all or time.monotonic() - self._left < _LINGER_SECONDS:
            return True
        self._wanted.clear()
        return False

    def _note_missed(self) -> None:
        """Have everyone look again."""
        for follower in chain(self._of_all, *self._of_one.values()):
            follower.note_missed()

    def _note(self, payload: str) -> None:
        try:
            changes = {int(one): news for one, _, news in (line.partition(" ") for line in payload.split("\n"))}
        except ValueError:  # from a replica of another version
            self._note_missed()
            return
        if self._of_all:
            self._recent.note(changes)
        for follower in self._of_all:
            follower.note()
        for one in changes.keys() & self._of_one.keys():
            for only in self._of_one[one]:
                only.note(one, changes[one])
