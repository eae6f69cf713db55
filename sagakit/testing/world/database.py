"""PostgreSQL in memory: tables that change as a whole or not at all, sessions, and what becomes of them.

What it is taken to do, and who says so:

- What is executed until a commit is one transaction; after it, another begins
  (https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING).
- A row that is locked is passed over by SKIP LOCKED, and who wants to change it waits for ``lock_timeout`` and fails
  (https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-ROWS).
- A transaction that takes too long is ended, and its connection with it (``transaction_timeout``, or
  ``idle_in_transaction_session_timeout``; https://www.postgresql.org/docs/current/runtime-config-client.html).
- Whose connection is lost at the commit does not know whether it was done.
- A server that is restored ends its sessions, and tells another timeline.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg.errors import LockNotAvailable

from sagakit.postgres.pipeline import Pipeline, Transaction
from sagakit.testing.world.faults import Fault, Machine
from sagakit.testing.world.green import CLOCK
from sagakit.testing.world.statements import Statements

Key = tuple[str, Any]
"""A table, and the primary key of a row."""
_LONGEST_SECONDS = 60.0
_TICK = timedelta(microseconds=1)
"""No two transactions begin at the same time, which tells a row from one of the same version that was forgotten."""


class Database:
    """The tables of one service, each a mapping from primary key to row. Rows are immutable."""

    def __init__(self) -> None:
        self.tables: dict[str, Mapping[Any, Any]] = {}
        self.locked: dict[Key, MemoryTransaction] = {}
        """By row, the transaction that has claimed it."""
        self.sequences: dict[str, int] = {}
        """What was given out last. No transaction takes that back."""
        self.timeline = 1

    def rows(self, table: str) -> Mapping[Any, Any]:
        """Return what is committed of a table."""
        return self.tables.get(table, {})

    def restore(self, tables: Mapping[str, Mapping[Any, Any]]) -> None:
        """Have it be as it was when ``tables`` were its own; whoever is connected is cut off."""
        self.tables = dict(tables)
        self.locked = {}
        self.timeline += 1


class MemoryTransaction:
    """Changes to copies of tables, which take their places at the commit; without one, nothing has happened."""

    def __init__(self, database: Database, now: datetime, session: "MemorySession | None" = None) -> None:
        """Change ``database`` at ``now``, by way of ``session``."""
        self.database, self.now, self._session = database, now, session
        self.began = CLOCK.now
        self._before: dict[str, Mapping[Any, Any]] = {}
        self._changed: dict[str, dict[Any, Any]] = {}
        self.committed = False

    def read(self, table: str) -> Mapping[Any, Any]:
        """Return a table as this transaction sees it."""
        changed = self._changed.get(table)
        return self.database.rows(table) if changed is None else changed

    def write(self, table: str) -> dict[Any, Any]:
        """Return a table to be changed."""
        if table not in self._changed:
            self._before[table] = self.database.rows(table)
            self._changed[table] = dict(self._before[table])
        return self._changed[table]

    def claim(self, table: str, key: object) -> bool:
        """Lock a row; say whether nobody else has."""
        if self._is_taken((table, key)):
            return False
        self.database.locked[table, key] = self
        return True

    def lock(self, table: str, keys: Iterable[object]) -> None:
        """Lock rows, or fail as one that others keep locked for too long."""
        if not all(self.claim(table, key) for key in keys):
            raise LockNotAvailable("canceling statement due to lock timeout")

    def execute(self, query: str, parameters: Mapping[str, Any] | None = None) -> "Rows":
        """Do what one of the kit's own statements does."""
        return Rows(Statements.of(query)(self, parameters or {}))

    def commit(self) -> None:
        """Have what was changed take its place, as a whole, or fail where others hold a lock on it."""
        changes = {
            table: {key: row for key, row in rows.items() if row is not self._before[table].get(key)}
            | dict.fromkeys(self._before[table].keys() - rows.keys())
            for table, rows in self._changed.items()
        }
        if self._session:
            self._session.before_commit(writes=any(changes.values()))
        if any(self._is_taken((table, key)) for table in changes for key in changes[table]):
            self.roll_back()
            raise LockNotAvailable("canceling statement due to lock timeout")
        for table, changed in changes.items():
            # Only what changed: others may have changed other rows since.
            rows = {**self.database.rows(table), **changed}
            self.database.tables[table] = {key: row for key, row in rows.items() if row is not None}
        self.committed = self.committed or any(changes.values())
        self.roll_back()
        if self._session:
            self._session.after_commit(wrote=any(changes.values()))

    def _is_taken(self, key: Key) -> bool:
        """Say whether another transaction has locked a row; one that takes too long is ended."""
        other = self.database.locked.get(key, self)
        if other is not self and CLOCK.now - other.began > _LONGEST_SECONDS:
            other.cut_off()
        return self.database.locked.get(key, self) is not self

    def cut_off(self) -> None:
        """End it from the server's side."""
        self.roll_back()
        if self._session:
            self._session.close()

    def roll_back(self) -> None:
        """Forget what was changed, and let go of all locks."""
        self._changed, self._before = {}, {}
        self.database.locked = {key: owner for key, owner in self.database.locked.items() if owner is not self}


class Rows(list[Any]):
    """What a statement selects."""

    def fetchall(self) -> list[Any]:
        """Return every row."""
        return self

    def fetchone(self) -> Any:  # noqa: ANN401 - a row is what the statement made
        """Return the first row, or None."""
        return next(iter(self), None)


class MemoryServer:
    """A database as one process reaches it, in place of its address."""

    def __init__(self, database: Database, process: Machine, now: "Now") -> None:
        """Connect ``process`` with ``database``, which takes its time from ``now``."""
        self.database, self.process, self.now = database, process, now

    def connect(self, _: object) -> "MemoryServer":
        """Return itself, in place of a connection."""
        return self


class Now:
    """The time of day."""

    def __init__(self, time: datetime) -> None:
        self.time = time


class MemorySession:
    """A connection, in place of `sagakit.postgres.pipeline.Session`; also what that calls its connection."""

    def __init__(self, server: MemoryServer) -> None:
        """Connect to ``server``."""
        self._server = server
        self._timeline = server.database.timeline
        self._closed = False
        self.connection = self

    @property
    def closed(self) -> bool:
        """Whether it is closed from this side."""
        return self._closed

    def fileno(self) -> int:
        """Return a file that has something to read once the server has ended the connection."""
        if self._closed:
            raise psycopg.OperationalError("the connection is closed")
        return _ENDED if self._timeline != self._server.database.timeline else _OPEN

    @contextmanager
    def pipeline(self) -> Iterator[Pipeline]:
        """Begin a transaction; at the end commit it."""
        self._must_be_open()
        self._server.now.time += _TICK
        transaction: Any = MemoryTransaction(self._server.database, self._server.now.time, self)
        try:
            yield transaction
            transaction.commit()
        finally:
            transaction.roll_back()

    def check(self) -> None:
        """See that the connection is there."""
        self._must_be_open()

    def close(self) -> None:
        """Close it from this side."""
        self._closed = True

    def before_commit(self, *, writes: bool) -> None:
        """Be where something is about to be committed, and may go wrong."""
        process = self._server.process
        self._must_be_open()
        if writes and process.meets(Fault.BEFORE_COMMIT):
            process.die()
        if writes and process.meets(Fault.COMMIT_LOST):
            self._lose()

    def after_commit(self, *, wrote: bool) -> None:
        """Be where something was committed, and the answer may be lost."""
        if wrote and self._server.process.meets(Fault.COMMIT_UNHEARD):
            self._lose()

    def _lose(self) -> None:
        self._closed = True
        raise psycopg.OperationalError("the connection is lost")

    def _must_be_open(self) -> None:
        if self._closed or self._timeline != self._server.database.timeline:
            self._lose()


def of(tx: Transaction) -> MemoryTransaction:
    """Return the transaction that a service was given for a connection."""
    if not isinstance(tx, MemoryTransaction):
        msg = f"{tx} is none of a database in memory"
        raise TypeError(msg)
    return tx


_OPEN, _other_end = os.pipe()
_ENDED = os.open(os.devnull, os.O_RDONLY)
