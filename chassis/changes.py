"""Wakes those who wait for a change: one PostgreSQL NOTIFY per committed batch reaches every replica."""

import asyncio
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.engine import URL

from chassis.database import array
from chassis.logs import logger, one_line
from chassis.pipeline import Transaction

log = logger("changes")

_LINGER_SECONDS = 30.0
"""How long it listens on once nobody follows any more."""
_LOOK_SECONDS = 10.0
_BACKOFF_SECONDS = 0.5
_IDS_PER_NOTIFICATION = 390
"""A notification carries less than 8,000 bytes, an id and its comma at most 20."""
_KEEPALIVE = {"keepalives_idle": "10", "keepalives_interval": "5", "keepalives_count": "3"}
_NOTIFY = "SELECT pg_notify(%(channel)s, payload) FROM unnest(%(payloads)s::text[]) AS payload"


def notify(transaction: Transaction, channel: str, ids: Collection[int]) -> None:
    """Tell everyone who follows ``channel``, in every process, that ``ids`` changed, once ``transaction`` commits."""
    ordered = sorted(ids)
    chunks = [ordered[at : at + _IDS_PER_NOTIFICATION] for at in range(0, len(ordered), _IDS_PER_NOTIFICATION)]
    payloads = [",".join(map(str, chunk)) for chunk in chunks]
    transaction.execute(_NOTIFY, {"channel": channel, "payloads": array(payloads)})


class Follower:
    """What has changed since it was last asked."""

    def __init__(self) -> None:
        """Begin with nothing changed."""
        self._changed: set[int] = set()
        self._missed = False
        self._something = asyncio.Event()

    async def next(self, within_seconds: float | None = None) -> set[int] | None:
        """Wait until something has changed and return its ids; None where notifications may have been missed.

        So it does after ``within_seconds`` as well: a notification may be lost with its connection.
        """
        try:
            async with asyncio.timeout(within_seconds):
                await self._something.wait()
        except TimeoutError:
            return None
        self._something.clear()
        changed, missed = self._changed, self._missed
        self._changed, self._missed = set(), False
        return None if missed else changed

    def tell(self, ids: Collection[int]) -> None:
        """Note that ``ids`` have changed."""
        self._changed.update(ids)
        self._something.set()

    def tell_missed(self) -> None:
        """Note that anything may have changed."""
        self._missed = True
        self._something.set()


class ChangeFeed:
    """Tells the event loop of this process what on a channel has changed.

    It listens only while somebody follows: under load the notifications would be a tenth of the process's work.
    """

    def __init__(self, url: URL, channel: str) -> None:
        """Listen on ``channel`` of the database at ``url`` once `run` runs."""
        keen = url.set(drivername="postgresql").update_query_dict(_KEEPALIVE)  # to notice soon that it talks to nobody
        self._dsn = keen.render_as_string(hide_password=False)
        self._channel = channel
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
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await self._listen(connection)
            except psycopg.Error as error:
                log.warning("change feed interrupted", error=one_line(error))
                await asyncio.sleep(_BACKOFF_SECONDS)

    async def _listen(self, connection: psycopg.AsyncConnection) -> None:
        await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._channel)))
        self._tell_missed()
        while self._is_wanted():
            async for notification in connection.notifies(timeout=_LOOK_SECONDS):
                self._tell(notification.payload)

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
        if not payload:  # a replica of an older version names no ids
            self._tell_missed()
            return
        ids = {int(one) for one in payload.split(",")}
        for follower in self._followers.get(None, ()):
            follower.tell(ids)
        for only in ids & self._followers.keys():
            for follower in self._followers[only]:
                follower.tell({only})
