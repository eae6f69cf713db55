"""Bring a service's database to its newest revision, with Alembic, while others use it.

Each revision runs in a transaction of its own. While a statement waits for a lock on a table, everybody who comes later
queues behind it. So it gives up after a moment, lets the others pass, and is tried again.
"""

import random
import time
from typing import Any

import psycopg
from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.errors import DeadlockDetected, LockNotAvailable
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError, PendingRollbackError
from sqlalchemy.pool import NullPool

from sagakit.postgres import roles
from sagakit.postgres.address import MIGRATING, DatabaseAddress
from sagakit.postgres.online_changes import LOCK_MILLISECONDS
from sagakit.postgres.poolers import must_keep_sessions
from sagakit.runtime.logs import logger, one_line
from sagakit.runtime.waiting import wait_until_up

_LOCK = 0x0DE5A6B
"""Advisory lock, so that replicas that start together migrate one after the other."""
_HOLDERS = """
    SELECT DISTINCT usename::text FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND (classid, objid, objsubid) = (0, CAST(:lock AS bigint)::oid, 1)
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND usename <> current_user
"""
"""Who else than the owner holds that lock; PostgreSQL keeps nobody who may connect from it."""
_TRY_SECONDS = 300.0
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 5.0
_ASK_SECONDS = 0.25

log = logger("migrations")


def migrate_when_up(package: str, address: DatabaseAddress, runtime_role: str | None = None) -> None:
    """Do as `migrate` does, and wait up to five minutes for a database that is still starting.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: the database did not start, or refuses something.
        UnsupportedServer: this code cannot work with it.
    """
    passing = (OperationalError, psycopg.OperationalError)
    wait_until_up(lambda: migrate(package, address, runtime_role), passing, log.bind(database=address.database))


def migrate(package: str, address: DatabaseAddress, runtime_role: str | None = None) -> None:
    """Upgrade the database at ``address`` to the newest revision in ``package``'s ``migrations`` folder.

    Where there is a ``runtime_role``, it is given what the service needs (`sagakit.postgres.roles`).

    A database that is ahead of this code is left as it is. Migrations expand before they contract, so the code before
    the last upgrade still works, and can be gone back to.

    Raises:
        psycopg.OperationalError: the database cannot be reached.
        sqlalchemy.exc.OperationalError: the same; or a table's lock could not be taken for five minutes.
        UnsupportedServer: this code cannot work with it.
    """
    config = configuration(package)
    script = ScriptDirectory.from_config(config)
    must_keep_sessions(address)
    with engine(address).connect() as connection:
        _lock_out_others(connection)
        current = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            log.warning("database is ahead of this code, left as it is", database=address.database, revision=current)
            return
        config.attributes["connection"] = connection
        _upgrade(config, connection)
        if runtime_role is not None:
            connection.rollback()
            roles.grant(_driver_of(connection), runtime_role)
        log.info("database is up to date", database=address.database, revision=script.get_current_head())


def engine(address: DatabaseAddress) -> Engine:
    """Return SQLAlchemy's engine. It connects by our address, as SQLAlchemy cannot read all that libpq can."""

    def connect() -> psycopg.Connection[Any]:
        connection = address.connect(MIGRATING)
        connection.autocommit = False
        return connection

    return create_engine("postgresql+psycopg://", creator=connect, poolclass=NullPool)


def _driver_of(connection: Connection) -> "psycopg.Connection[Any]":
    driver: psycopg.Connection[Any] | None = connection.connection.driver_connection
    if driver is None:
        raise psycopg.OperationalError("the connection is lost")
    return driver


def configuration(package: str) -> Config:
    """Return Alembic's configuration for ``package``'s migrations."""
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.set_main_option("path_separator", "os")
    return config


def run() -> None:
    """Run the revisions, each in a transaction; each service's ``env.py`` calls this.

    They run on the connection that `migrate` holds. Without a connection, Alembic writes them as SQL.
    """
    if context.is_offline_mode():
        context.configure(dialect_name="postgresql", transaction_per_migration=True)
        context.run_migrations()
        return
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=True)
    context.run_migrations()
    connection.commit()


def _lock_out_others(connection: Connection) -> None:
    """Wait until no other replica migrates.

    It asks again and again. A statement that waited would hold a snapshot, and the build of an index waits until every
    older snapshot is gone.
    """
    waits = False
    while not connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": _LOCK}).scalar_one():
        if not waits:
            roles_there = connection.execute(text(_HOLDERS), {"lock": _LOCK}).scalars().all()
            if roles_there:  # a replica is the owner too: whoever else holds it has to be ended by hand
                log.warning("waiting for the lock of migrations, which another role holds", roles=roles_there)
            else:
                log.info("waiting until another replica has migrated the database")
            waits = True
        connection.commit()
        time.sleep(_ASK_SECONDS)
    connection.commit()


def _upgrade(config: Config, connection: Connection) -> None:
    """Run the missing revisions; where a lock cannot be taken, begin again at that revision a little later."""
    give_up, pause = time.monotonic() + _TRY_SECONDS, _FIRST_PAUSE_SECONDS
    while True:
        connection.execute(text(f"SET lock_timeout = {LOCK_MILLISECONDS}"))
        connection.commit()
        try:
            command.upgrade(config, "head")
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable | DeadlockDetected) or time.monotonic() > give_up:
                raise
            connection.rollback()
            log.warning("the lock on a table cannot be taken, trying again", reason=one_line(error))
            time.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        except PendingRollbackError as error:
            # Alembic commits even outside of transactions, which hides that the connection is lost.
            raise error.__context__ or error from None
        else:
            return
