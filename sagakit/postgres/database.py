"""A service's database: transactions for threads and for the event loop.

What has become stale on our side (a statement whose table has changed, a connection that the server has ended) is made
anew, and the transaction done again, before anybody notices; see `sagakit.families`.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
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

_THREADS = 2
"""Those that look for what is due; they must not wait for the calls."""
_ATTEMPTS = 3
"""How often a transaction is done, where what it relied on has become stale each time."""


class Database:
    """Connections to one database."""

    def __init__(self, address: DatabaseAddress, size: int) -> None:
        """Connect to ``address`` when first asked.

        ``size`` is how many calls of `run` may be under way at once; a few threads more may open transactions.
        """
        self._address = address
        self._pool = Pool(self._connect, size + _THREADS)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="database")
        self.timelines = Timelines()
        """Which history it tells, by the connections that were made."""

    def transaction(self) -> AbstractContextManager[Transaction]:
        """Open a transaction; it commits at the end of the block, or rolls back where that raises.

        A block cannot be done again where something has become stale: `transact` can.

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
                    self.connect_anew()  # what this connection was told holds for the others as well
                raise

    def transact(self, function: Callable[[Transaction], T]) -> T:
        """Run ``function`` in a transaction, and commit; return its result. It may run up to three times.

        It runs again, at once, where what it relied on has become stale and nothing is committed: a statement was
        prepared before its table changed, or the server has ended the connection. Raises what `transaction` does.
        """
        return _until_fresh(self.pipeline, function)

    async def run(self, function: Callable[[Transaction], T]) -> T:
        """`transact` in a thread beside the event loop.

        A caller that is cancelled meanwhile does not stop it.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.transact, function)

    async def is_writable(self) -> bool:
        """Say whether the server that is reached takes writes: a standby does not. Raises what `transaction` does."""
        rows = await self.run(lambda tx: tx.execute("SELECT current_setting('transaction_read_only') AS read_only"))
        return bool(rows.fetchall()[0].read_only == "off")

    def connect_anew(self) -> None:
        """Have every connection made anew before it is used again, perhaps to another server."""
        self._pool.connect_anew()

    def close(self) -> None:
        """Close the connections, but for those that are kept."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._pool.close()

    def kept(self, begin: Callable[[Session], None] = lambda _: None) -> "Kept":
        """Return a connection for one thread to keep; ``begin`` looks at each new one before it is used."""
        return Kept(self._connect, begin)

    def _connect(self) -> Session:
        session = Session(self._address.connect(SERVING))
        try:
            self.timelines.begin(session)
        except BaseException:
            session.close()
            raise
        return session


class Kept:
    """A connection that one thread keeps: to take one from the pool is a twelfth of what a lone message costs."""

    def __init__(self, connect: Callable[[], Session], begin: Callable[[Session], None]) -> None:
        """Connect by ``connect`` when first asked, and have ``begin`` look at the connection."""
        self._connect, self._begin = connect, begin
        self._session: Session | None = None
        self._used = 0.0

    def session(self) -> Session:
        """Return the connection, which is made anew where the last one is lost.

        Raises:
            psycopg.OperationalError: the database is away.
            Exception: what the look at a new connection raises.
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
            self._begin(session)
        except BaseException:
            session.close()
            raise
        return session

    def transact(self, function: Callable[[Pipeline], T]) -> T:
        """Run ``function``, which may commit on its way, and commit; return its result.

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
