"""Whether what stands before PostgreSQL keeps a session together, as this code needs it.

A pooler that gives each transaction another server connection takes ``LISTEN``, locks of a session, session settings
and prepared statements apart, and shows it only under load. PgBouncer does so in the modes ``transaction`` and
``statement``.
"""

import select
import time
from contextlib import closing
from typing import Any

import psycopg
from psycopg.pq import ExecStatus

from sagakit.postgres.address import SERVING, DatabaseAddress, UnsupportedServer

_ROUNDS = 16
"""Others use the pool as well, and there may be several poolers behind one address: one round may show nothing."""
_SILENT_ROUNDS = 2
_ANSWER_SECONDS = 3.0
# A process id alone may stand for two servers' processes.
_PROCESS = b"SELECT pid, extract(epoch FROM backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_REFUSED = (
    "the database is reached through a connection pooler that gives each transaction another session (PgBouncer's"
    " pool_mode transaction or statement): set pool_mode = session, or connect to PostgreSQL itself"
)

_Process = tuple[bytes | None, ...]


def must_keep_sessions(address: DatabaseAddress) -> None:
    """Check that a connection to ``address`` keeps its session; on a direct one that is a single query.

    Raises:
        UnsupportedServer: it does not.
        psycopg.OperationalError: the database cannot be reached.
    """
    with closing(address.connect(SERVING)) as connection:
        process = _ask(connection, _PROCESS)
        if process[0] == b"%d" % connection.info.backend_pid:
            return  # the server itself has told this connection its number: nothing stands in between
        silent = 0
        for _ in range(_ROUNDS):
            try:
                moved = _moves(connection, process, address)
            except psycopg.OperationalError:  # the pool has no session to spare just now
                silent += 1
                if silent == _SILENT_ROUNDS:
                    return
            else:
                if moved:
                    raise UnsupportedServer(_REFUSED)


def _moves(connection: "psycopg.Connection[Any]", process: _Process, address: DatabaseAddress) -> bool:
    """Say whether ``connection`` shares its server's ``process`` with another connection, or has got another one.

    The other one holds a transaction open meanwhile: so of a pool that is not in use it has the very process that the
    first one had, or would get next.
    """
    info = connection.info
    same = address.whole(host=info.host, hostaddr=info.hostaddr, port=str(info.port))
    with closing(psycopg.connect(same, autocommit=True)) as other:
        if _ask(other, _PROCESS) == process:
            return True
        try:
            _ask(other, b"BEGIN")
        except psycopg.OperationalError as error:
            return "statement pooling" in str(error)
        return _ask(other, _PROCESS) == process or _ask(connection, _PROCESS) != process


def _ask(connection: "psycopg.Connection[Any]", query: bytes) -> _Process:
    """Run ``query`` and return its row; a pooler may let it wait for minutes, so for three seconds at most.

    Raises:
        psycopg.OperationalError: there was no answer, or an error.
    """
    pg = connection.pgconn
    pg.send_query(query)
    give_up = time.monotonic() + _ANSWER_SECONDS
    poll = select.poll()
    poll.register(pg.socket, select.POLLIN)
    while pg.flush() or pg.is_busy():
        if not poll.poll(max(0.0, give_up - time.monotonic()) * 1000):
            raise psycopg.OperationalError("the connection pooler does not answer")
        pg.consume_input()
    row: _Process = ()
    while result := pg.get_result():
        if result.status not in {ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK}:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
        if result.ntuples:
            row = tuple(result.get_value(0, column) for column in range(result.nfields))
    return row
