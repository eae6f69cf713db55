"""What Alembic's revisions do to tables that are in use, so that nobody has to wait for it."""

from alembic import op

from chassis.logs import logger

LOCK_MILLISECONDS = 300
"""How long a statement waits for a lock for which everybody queues behind it."""
_BUILD_LOCK_MILLISECONDS = 300_000
"""How long the build of an index waits for each transaction that is older; it holds up nobody meanwhile."""
_log = logger("migrations")


def build_index(name: str, on: str) -> None:
    """Build the index ``name`` on what ``on`` says, as ``orders (user_id)``, while its table is read and written.

    What came before in the revision is committed. An index of that name is dropped first: it is what was left, perhaps
    INVALID, of an attempt that was killed before the revision was noted.
    """
    if not op.get_context().as_sql:
        _log.info("building an index, which waits for every transaction that is older", index=name)
    with op.get_context().autocommit_block():
        wait_for_locks(_BUILD_LOCK_MILLISECONDS)
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {on}")
        wait_for_locks(LOCK_MILLISECONDS)


def wait_for_locks(milliseconds: int) -> None:
    """Set how long statements from now on wait for a lock."""
    op.execute(f"SET lock_timeout = {milliseconds}")
