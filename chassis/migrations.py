"""Bring a service's database to its newest revision, with Alembic."""

from alembic import command, context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from chassis.logs import logger
from chassis.patience import when_up

_LOCK = 0x0DE5A6A
"""Advisory lock, so that replicas that start together migrate one after the other."""

log = logger("migrations")


def migrate_when_up(package: str, url: URL) -> None:
    """Do as `migrate` does, and wait up to five minutes for a database that is still starting.

    Raises:
        sqlalchemy.exc.OperationalError: it did not come.
    """
    when_up(lambda: migrate(package, url), OperationalError, log.bind(database=url.database))


def migrate(package: str, url: URL) -> None:
    """Upgrade the database at ``url`` to the newest revision in ``package``'s ``migrations`` folder.

    A database that is ahead of this code is left as it is: migrations expand before they contract, so the code before
    the last upgrade still works on it, and a rollback is possible.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
    """
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)
    with create_engine(url, poolclass=NullPool).connect() as connection:
        connection.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
        connection.commit()
        current = MigrationContext.configure(connection).get_current_revision()
        connection.commit()
        known = {revision.revision for revision in script.walk_revisions()}
        if current is not None and current not in known:
            log.warning("database is ahead of this code, left as it is", database=url.database, revision=current)
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        log.info("database is up to date", database=url.database, revision=script.get_current_head())


def run() -> None:
    """Run the revisions on the connection that `migrate` holds; each service's ``env.py`` calls this."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
