"""The connections that a process's threads share: each is made when it is first needed, and there are only so many.

SQLAlchemy's pool takes DBAPI connections, which a `Session` is none. psycopg_pool connects in threads of its own: where
the database is away, a caller would wait for half a minute instead of being told at once.
"""

import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Semaphore
from typing import NamedTuple

import psycopg

from sagakit.errors import Unavailable
from sagakit.postgres.pipeline import Session
from sagakit.runtime import metrics

_WAIT_SECONDS = 5.0
_FRESH_SECONDS = 1.0
"""A connection that was used so short a time ago, and has said nothing since, is not asked whether it still works."""


class _Pooled(NamedTuple):
    session: Session
    generation: int
    """Before which of the calls of `connect_anew` it was made."""
    used: float = 0.0
    """When it was given back, by the monotonic clock."""


class Pool:
    """Connections for any thread."""

    def __init__(self, connect: Callable[[], Session], size: int) -> None:
        """Have up to ``size`` connections, made by ``connect``."""
        self._connect = connect
        self._room = Semaphore(size)
        self._idle: list[_Pooled] = []
        """The one that was used last comes last, and is taken first: it has its statements prepared."""
        self._generation = 0
        self._closed = False

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Take a connection that works, and give it back at the end of the block, unless it is closed by then.

        Raises:
            psycopg.OperationalError: the database is away.
            Unavailable: all connections were in use for five seconds.
        """
        if not self._room.acquire(timeout=_WAIT_SECONDS):
            raise Unavailable("all connections to the database are in use")
        metrics.CONNECTIONS_IN_USE.inc()
        try:
            pooled = self._working() or self._new()
            try:
                yield pooled.session
            finally:
                self._give_back(pooled)
        finally:
            metrics.CONNECTIONS_IN_USE.dec()
            self._room.release()

    def connect_anew(self) -> None:
        """Have every connection made anew before it is used again, perhaps to another server."""
        self._generation += 1

    def close(self) -> None:
        """Close what is idle now; a connection that is in use is closed once it is given back."""
        self._closed = True
        while idle := self._pop():
            idle.session.close()

    def _new(self) -> _Pooled:
        generation = self._generation  # as it is before: what is called for while this connects concerns this, too
        return _Pooled(self._connect(), generation)

    def _working(self) -> _Pooled | None:
        """Return an idle connection that works, if there is one; those that do not are closed."""
        while pooled := self._pop():
            if pooled.generation == self._generation:
                try:
                    must_work(pooled.session, pooled.used)
                except psycopg.Error:
                    self.connect_anew()  # what has ended one may have ended all
                else:
                    return pooled
            pooled.session.close()
        return None

    def _pop(self) -> _Pooled | None:
        try:
            return self._idle.pop()
        except IndexError:  # another thread may have been faster than a look would be
            return None

    def _give_back(self, pooled: _Pooled) -> None:
        if self._closed:
            pooled.session.close()
        elif not pooled.session.connection.closed:
            self._idle.append(pooled._replace(used=time.monotonic()))


def must_work(session: Session, used: float) -> None:
    """See whether the server has closed what was idle since ``used``, by the monotonic clock.

    A server that ends a connection in good order says so, which lies there to be read: seeing that costs no round trip.

    Raises:
        psycopg.Error: it has.
    """
    listening = select.poll()
    listening.register(session.connection.fileno(), select.POLLIN)
    if time.monotonic() - used >= _FRESH_SECONDS or listening.poll(0):
        session.check()
