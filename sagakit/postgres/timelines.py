"""The histories of a database: whether the one that answers now may lack what an earlier one had.

A standby that takes over begins a new timeline, and so does a restore to a point in time. A restored dump is another
database, or has other tables in the same one. A snapshot of the disks is behind in the log. PostgreSQL lets us see each
of these:
https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
"""

import threading

import psycopg

from sagakit.errors import Unavailable
from sagakit.postgres.pipeline import Session, Transaction
from sagakit.runtime.logs import logger, one_line

log = logger("database")

# A standby has no row here: it takes no writes, so nobody relies on it.
_READ = """
    SELECT concat_ws('/', system_identifier, substr(pg_walfile_name(lsn), 1, 8), oid,
                     to_regclass('consumed_offsets')::oid) AS line,
           to_regclass('consumed_offsets')::oid::bigint AS tables, (lsn - '0/0'::pg_lsn)::bigint AS position
    FROM pg_control_system(), pg_database,
         (SELECT CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_current_wal_lsn() END AS lsn) AS log
    WHERE datname = current_database() AND lsn IS NOT NULL
"""


# An open connection does not notice that tables are dropped and made anew. Where that has happened, this statement
# looks for a table that does not exist, and so fails with its whole transaction. It must come last: by then the
# transaction has locks on the tables that it has written, and nobody can replace these before the commit.
_NO_SUCH_TABLE = "the_tables_of_the_known_history"
_SAME_TABLES = f"""
    SELECT CASE WHEN to_regclass('consumed_offsets')::oid::bigint = %(tables)s THEN 0
           ELSE '{_NO_SUCH_TABLE}'::text::regclass::oid::bigint END
"""


def meets_other_tables(error: psycopg.Error) -> bool:
    """Say whether ``error`` means that a transaction met other tables than those of the known history."""
    # A table that is missing for another reason, such as a migration that is still to come, has another name.
    return isinstance(error, psycopg.errors.UndefinedTable) and _NO_SUCH_TABLE in str(error)


class Timelines:
    """The histories of one database, as its connections find them."""

    def __init__(self) -> None:
        """Begin with none known."""
        self.line = ""
        """What tells the present history from others; empty where it cannot be read."""
        self.tables: int | None = None
        """The tables of the present history, by the id of one of them; None where it cannot be read."""
        self._position = -1
        self._reading = threading.Lock()
        self._readable = True
        """Whether we may read the history, as far as we know."""
        self.number = 0
        """How often the history has changed since the first connection."""
        self.whole: int | None = None
        """The ``number`` of the history that lacks nothing; None where nobody looks after that."""

    def must_be_whole(self) -> None:
        """Check that the database has all that was acknowledged; call it in one of its transactions.

        Raises:
            Unavailable: it may have gone back, and what it has forgotten is not restored yet.
        """
        if self.whole is not None and self.whole != self.number:
            raise Unavailable("the database may have gone back, and what it has forgotten is not restored yet")

    def must_still_be_whole(self, tx: Transaction) -> None:
        """Look which history ``tx`` meets, then do as `must_be_whole`. Call it before something is said not to exist.

        It may be in Kafka, and be restored soon.
        """
        self.look(tx)
        self.must_be_whole()

    def must_have(self, tx: Transaction, tables: int | None) -> None:
        """Let ``tx`` fail if it meets other ``tables``, as `meets_other_tables` recognises; call it last in ``tx``."""
        if tables is not None:
            tx.execute(_SAME_TABLES, {"tables": tables})

    def begin(self, session: Session) -> None:
        """Look at a new connection; raises psycopg.OperationalError where it is lost.

        Where its history cannot be read, that is logged, and whoever relies on it does without.
        """
        try:
            with session.pipeline() as tx:
                self._read(tx)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported) as error:
            self._readable = False
            log.warning("the database's timeline cannot be read", error=one_line(error))
        else:
            self._readable = True

    def look(self, tx: Transaction) -> None:
        """See which history the database of ``tx`` has now, where that can be read."""
        if self._readable:
            self._read(tx)

    def _read(self, tx: Transaction) -> None:
        with self._reading:
            for row in tx.execute(_READ):
                if self.line and (row.line != self.line or row.position < self._position):
                    self.number += 1
                    log.warning("another history of the database", before=self.line, now=row.line)
                self.line, self.tables, self._position = row.line, row.tables, row.position
