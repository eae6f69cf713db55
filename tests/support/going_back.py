"""A database that goes back: a copy of it is made, and later replaces the present one.

That is what a restore does, and a failover to a standby that lacks the last seconds: connections end, and what comes
after them finds an earlier state.
"""

import psycopg
from psycopg.sql import SQL, Identifier

from devstack.postgres import Postgres
from sagakit.postgres.pipeline import Transaction


class Earlier:
    """One database as it was when this was made."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        """Keep a copy of the database ``name``. Its connections are ended, as nobody may be in it meanwhile."""
        self._name, self._then = name, f"{name}_then"
        self._admin = postgres.dsn("postgres")
        with psycopg.connect(self._admin, autocommit=True) as admin:
            self._shut(admin, self._name)
            self._run(admin, "CREATE DATABASE {} TEMPLATE {} OWNER {}", self._then, self._name, self._name)
            self._run(admin, "ALTER DATABASE {} ALLOW_CONNECTIONS true", self._name)

    def restore(self) -> None:
        """Put the copy where the present database is."""
        with psycopg.connect(self._admin, autocommit=True) as admin:
            self._shut(admin, self._name)
            self._run(admin, "DROP DATABASE {} WITH (FORCE)", self._name)
            self._run(admin, "ALTER DATABASE {} RENAME TO {}", self._then, self._name)

    def _shut(self, admin: psycopg.Connection, name: str) -> None:
        self._run(admin, "ALTER DATABASE {} ALLOW_CONNECTIONS false", name)
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])

    @staticmethod
    def _run(admin: psycopg.Connection, statement: str, *names: str) -> None:
        admin.execute(SQL(statement).format(*map(Identifier, names)))


def replace_tables(tx: Transaction, *names: str) -> None:
    """Put other tables with the same rows in the place of ``names``, under the connections of others.

    ``pg_restore --clean --single-transaction`` does so.
    """
    for name in names:
        tx.execute(f"CREATE TABLE another (LIKE {name} INCLUDING ALL)")
        tx.execute(f"INSERT INTO another OVERRIDING SYSTEM VALUE SELECT * FROM {name}")  # noqa: S608 - constants
        tx.execute(f"DROP TABLE {name}")
        tx.execute(f"ALTER TABLE another RENAME TO {name}")
