"""Checks that a connection pooler keeps sessions, as this code needs.

A pooler may give each transaction another server connection. Then ``LISTEN``, a session's locks, its settings and its
prepared statements are lost, which shows only under load. PgBouncer does so in its modes ``transaction`` and
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
"""Others use the pool as well, and one address may have several poolers behind it, so one round may show nothing."""
_SILENT_ROUNDS = 2
_ANSWER_SECONDS = 3.0
# Processes of two servers may have the same id, so a process is told by its start as well.
_PROCESS = b"SELECT pid, extract(epoch FROM backend_start) FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_REFUSED = (
    "the database is reached through a connection pooler that gives each transaction another session (PgBouncer's"
    " pool_mode transaction or statement): set pool_mode = session, or connect to PostgreSQL itself"
)

_Process = tuple[bytes | None, ...]


def must_keep_sessions(address: DatabaseAddress) -> None:
    """Check that a connection to ``address`` keeps its session. On a direct connection that takes a single query.

    Raises:
        UnsupportedServer: it does not.
        psycopg.OperationalError: the database cannot be reached.
    """
    with closing(address.connect(SERVING)) as connection:
        process = _ask(connection, _PROCESS)
        if process[0] == b"%d" % connection.info.backend_pid:
            return  # the process that answered is the one that the connection was made to: there is no pooler
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
    """Say whether ``connection`` shares its server ``process`` with another connection, or has been given another.

    The other connection holds a transaction open meanwhile. So from a pool that is idle it gets the very process that
    the first one had, or would get next.
    """
    info = connection.info
    same = address.for_libpq(host=info.host, hostaddr=info.hostaddr, port=str(info.port))
    with closing(psycopg.connect(same, autocommit=True)) as other:
        if _ask(other, _PROCESS) == process:
            return True
        try:
            _ask(other, b"BEGIN")
        except psycopg.OperationalError as error:
            return "statement pooling" in str(error)
        return _ask(other, _PROCESS) == process or _ask(connection, _PROCESS) != process


def _ask(connection: "psycopg.Connection[Any]", query: bytes) -> _Process:
    """Run ``query`` and return its row. A pooler may hold it for minutes, so this waits three seconds at most.

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
