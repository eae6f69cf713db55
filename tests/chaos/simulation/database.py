"""PostgreSQL, as far as the services can tell: tables that change as a whole or not at all."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chassis.pipeline import Transaction


class Database:
    """The tables of one service, each a mapping from primary key to row. Rows are immutable."""

    def __init__(self) -> None:
        self.tables: dict[str, Mapping[Any, Any]] = {}

    def rows(self, table: str) -> Mapping[Any, Any]:
        return self.tables.get(table, {})


class Died(Exception):
    """The process died in the midst of what it did."""


class MemoryTransaction:
    """Changes to copies of tables, which take their places at the commit; without one, nothing has happened."""

    def __init__(self, database: Database, now: datetime, *, dies: bool = False) -> None:
        """Change ``database`` at ``now``, or have the process die before the first commit."""
        self._database, self.now, self._dies = database, now, dies
        self._changed: dict[str, dict[Any, Any]] = {}

    def read(self, table: str) -> Mapping[Any, Any]:
        changed = self._changed.get(table)
        return self._database.rows(table) if changed is None else changed

    def write(self, table: str) -> dict[Any, Any]:
        if table not in self._changed:
            self._changed[table] = dict(self._database.rows(table))
        return self._changed[table]

    def commit(self) -> None:
        if self._dies:
            raise Died
        self._database.tables.update(self._changed)
        self._changed = {}


def of(tx: Transaction) -> MemoryTransaction:
    """Return the transaction that a service was given for a connection."""
    assert isinstance(tx, MemoryTransaction)
    return tx
