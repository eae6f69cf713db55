"""Wakes those who wait for a change: one PostgreSQL NOTIFY per committed batch reaches every replica."""

import asyncio

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from chassis.logs import logger

log = logger("changes")

_SAFETY_NET_SECONDS = 5.0
_BACKOFF_SECONDS = 0.5
_NOTIFY = text("SELECT pg_notify(:channel, '')")


def notify(transaction: Connection, channel: str) -> None:
    """Wake everyone who waits on ``channel``, in every process, once ``transaction`` has committed."""
    transaction.execute(_NOTIFY, {"channel": channel})


class ChangeFeed:
    """Tells the event loop of this process that something on a channel changed."""

    def __init__(self, url: URL, channel: str) -> None:
        """Listen on ``channel`` of the database at ``url`` once `run` runs."""
        self._dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._channel = channel
        self._next = asyncio.Event()

    def next_change(self) -> asyncio.Event:
        """Return an event that is set at the next change. Take it before reading the state: so none is missed."""
        return self._next

    @staticmethod
    async def wait(change: asyncio.Event) -> None:
        """Wait for ``change``, or a few seconds: a notification may be lost with its connection."""
        try:
            async with asyncio.timeout(_SAFETY_NET_SECONDS):
                await change.wait()
        except TimeoutError:
            pass

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made anew."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
                    await connection.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._channel)))
                    self._wake()
                    async for _ in connection.notifies():
                        self._wake()
            except psycopg.Error as error:
                log.warning("change feed interrupted", error=" ".join(str(error).split())[:300])
            await asyncio.sleep(_BACKOFF_SECONDS)

    def _wake(self) -> None:
        woken, self._next = self._next, asyncio.Event()
        woken.set()
