"""Changes that Alembic's revisions make to tables in use, without anybody having to wait."""

from alembic import op
from sqlalchemy.exc import IntegrityError

from sagakit.runtime.logs import logger, one_line

LOCK_MILLISECONDS = 300
"""How long a statement waits for a lock while everybody else queues behind it."""
_BUILD_LOCK_MILLISECONDS = 300_000
"""How long the build of an index waits for each older transaction. Nobody waits for the build meanwhile."""
_log = logger("migrations")


def build_index(name: str, on: str) -> None:
    """Build the index ``name`` on what ``on`` says, as ``transfers (account_id)``, while its table is read and written.

    What came before in the revision is committed first. An index of that name is dropped: an attempt that was killed
    may have left it, perhaps INVALID.
    """
    if not op.get_context().as_sql:
        _log.info("building an index, which waits for every older transaction", index=name)
    with op.get_context().autocommit_block():
        wait_for_locks(_BUILD_LOCK_MILLISECONDS)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")
        wait_for_locks(LOCK_MILLISECONDS)


def limit(table: str, check: str) -> None:
    """Add the constraint ``<table>_limits`` to ``table``: each row that is written from now on must pass ``check``.

    No row is read. The table is locked by itself, so what came before in the revision is committed.
    """
    name = f"{table}_limits"
    with op.get_context().autocommit_block():
        op.execute(
            "-- squawk-ignore ban-drop-constraint -- what is dropped is what an attempt left that was killed\n"
            f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}, ADD CONSTRAINT {name} CHECK ({check}) NOT VALID"
        )


def validate(table: str, constraint: str) -> None:
    """Read ``table``, and note that all of its rows pass ``constraint``. It is read and written meanwhile.

    Where some do not, that is logged, and the constraint holds only for what is written from now on. A database that
    has such rows, from before there was a limit, must still get every later revision.
    """
    statement = f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}"
    if op.get_context().as_sql:
        op.execute(statement)
        return
    try:
        with op.get_bind().begin_nested():
            op.execute(statement)
    except IntegrityError as error:
        _log.warning("rows break a constraint, and stay", table=table, constraint=constraint, error=one_line(error))


def wait_for_locks(milliseconds: int) -> None:
    """Set how long statements from now on wait for a lock."""
    op.execute(f"SET lock_timeout = {milliseconds}")
