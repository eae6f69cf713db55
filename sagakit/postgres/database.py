"""Transactions on a service's database, for threads and for the event loop.

A statement is stale when its table has changed, a connection when the server has ended it. They are made anew, and the
transaction is run again, before a caller notices; see `sagakit.families`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from typing import TypeVar

import psycopg

from sagakit.families import Family, family_of
from sagakit.postgres.address import SERVING, DatabaseAddress
from sagakit.postgres.pipeline import Pipeline, Session, Transaction
from sagakit.postgres.pool import Pool, must_work
from sagakit.postgres.timelines import Timelines
from sagakit.runtime.logs import logger, one_line

log = logger("database")

T = TypeVar("T")

_BACKGROUND = 2
"""Connections for threads that look for due work, so that they need not wait for calls."""
_ATTEMPTS = 3
"""How often a transaction is run, if something is stale each time."""
_SCANS = 3
"""Reads under way at once whose cost grows with the tables. Those that are short never wait for one of them."""


class Database:
    """Transactions on one database, over connections that threads share."""

    def __init__(self, address: DatabaseAddress, size: int) -> None:
        """Connect to ``address`` when that is first needed.

        ``size`` calls of `run` may be under way at once, three of `scan`, and a few other threads may open
        transactions beside them.
        """
        self._address = address
        self._pool = Pool(self._connect, size + _SCANS + _BACKGROUND)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="database")
        self._scanning = ThreadPoolExecutor(_SCANS, thread_name_prefix="database-scan")
        self.timelines = Timelines()
        """The database's histories, as its connections have found them."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; it commits at the end of the block, or rolls back where that raises.

        A block cannot be run again where something is stale; `transact` can.

        Raises:
            psycopg.OperationalError: the database is away. It may have committed all the same.
            Unavailable: all connections were in use for five seconds.
        """
        return self.pipeline()

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        """Do as `transaction` does, for a block that commits on its way."""
        with self._pool.session() as session:
            try:
                with session.pipeline() as pipeline:
                    yield pipeline
            except psycopg.Error as error:
                if session.connection.closed and error.sqlstate:
                    self.connect_anew()  # the cause, such as a server that is read-only, holds for the others as well
                raise

    def transact(self, function: Callable[[Transaction], T]) -> T:
        """Run ``function`` in a transaction, commit, and return its result. It may run up to three times.

        It runs again, at once, where something was stale and nothing is committed: a statement was prepared before its
        table changed, or the server has ended the connection. Raises what `transaction` does.
        """
        return _until_fresh(self.pipeline, function)

    async def run(self, function: Callable[[Transaction], T]) -> T:
        """Do as `transact` does, in a thread beside the event loop.

        It goes on even if its caller is cancelled.
        """
        return await self._beside_the_loop(self._threads, function)

    async def scan(self, function: Callable[[Transaction], T]) -> T:
        """Do as `run` does, for what may read much of a table, such as a page of a filtered list.

        It has threads of its own: whatever number of callers list, a short transaction does not wait for them.
        """
        return await self._beside_the_loop(self._scanning, function)

    async def _beside_the_loop(self, threads: Executor, function: Callable[[Transaction], T]) -> T:
        """Run ``function`` in one of ``threads``; lines that it logs say of which call they are, as the caller's do."""
        return await asyncio.get_running_loop().run_in_executor(threads, copy_context().run, self.transact, function)

    async def is_writable(self) -> bool:
        """Say whether the server takes writes; a standby does not. Raises what `transaction` does."""
        rows = await self.run(lambda tx: tx.execute("SELECT current_setting('transaction_read_only') AS read_only"))
        return bool(rows.fetchall()[0].read_only == "off")

    def connect_anew(self) -> None:
        """Make each connection anew before its next use, perhaps to another server."""
        self._pool.connect_anew()

    def close(self) -> None:
        """Close the connections, except those that `kept` returned."""
        for threads in (self._threads, self._scanning):
            threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    def kept(self, check: Callable[[Session], None] = lambda _: None) -> "KeptConnection":
        """Return a connection for one thread to keep; ``check`` looks at each new one before it is used."""
        return KeptConnection(self._connect, check)

    def _connect(self) -> Session:
        session = Session(self._address.connect(SERVING))
        try:
            self.timelines.begin(session)
        except BaseException:
            session.close()
            raise
        return session


class KeptConnection:
    """A connection that one thread keeps. To take one from the pool would be a twelfth of what a lone message costs."""

    def __init__(self, connect: Callable[[], Session], check: Callable[[Session], None]) -> None:
        """Connect by ``connect`` when that is first needed, and ``check`` each connection."""
        self._connect, self._check = connect, check
        self._session: Session | None = None
        self._used = 0.0

    def session(self) -> Session:
        """Return the connection, made anew if the last one is lost.

        Raises:
            psycopg.OperationalError: the database is away.
            Exception: what the check of a new connection raises.
        """
        used, self._used = self._used, time.monotonic()
        if self._session:
            try:
                must_work(self._session, used)
            except psycopg.Error:
                self._session.close()
            else:
                return self._session
        session = self._session = self._connect()
        try:
            self._check(session)
        except BaseException:
            session.close()
            raise
        return session

    def transact(self, function: Callable[[Pipeline], T]) -> T:
        """Run ``function``, which may commit on its way, then commit; return its result.

        It may run again as in `Database`, but not once it has committed.
        """
        return _until_fresh(lambda: self.session().pipeline(), function)

    def close(self) -> None:
        """Close the connection; the next use makes another."""
        if self._session:
            self._session.close()


def _until_fresh(open_pipeline: Callable[[], AbstractContextManager[Pipeline]], do: Callable[[Pipeline], T]) -> T:
    for attempt in range(1, _ATTEMPTS + 1):
        pipeline = None
        try:
            with open_pipeline() as pipeline:
                return do(pipeline)
        except psycopg.Error as error:
            if attempt == _ATTEMPTS or family_of(error) is not Family.STALE or (pipeline and pipeline.committed):
                raise
            log.info("transaction is done again", error=one_line(error))
    raise AssertionError("unreachable")
