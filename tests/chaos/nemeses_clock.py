"""Faults of clocks: a database whose clock is wrong, and times that are due sooner or later than they were.

No process may set the machine's clock. So a wrong clock is one that a database shows when it is asked; and
where a clock has jumped, what is stored is due at another time.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from random import Random

import psycopg

from tests.chaos.evidence import SERVICES
from tests.chaos.nemeses_database import ending_sessions, persistently
from tests.chaos.recorder_rows import Reader
from tests.chaos.stage import Stage

_WRONG_SECONDS = 10


@contextmanager
def wrong(stage: Stage, random: Random) -> Iterator[str]:
    """Let the clock of one service's database be ten seconds fast or slow, and then right again."""
    service, seconds = random.choice(SERVICES), random.choice([_WRONG_SECONDS, -_WRONG_SECONDS])
    with wrong_clock(stage.recorder.reader, service, seconds):
        yield f"the clock of {service}'s database is {abs(seconds)} s {'fast' if seconds > 0 else 'slow'}"


@contextmanager
def wrong_clock(reader: Reader, service: str, seconds: int) -> Iterator[None]:
    """Let the clock of a service's database be fast by ``seconds`` meanwhile; where it is slow they are negative.

    Every statement of the services asks for the time by ``now()``, and each session begins with the search path of its
    database. So another function of that name comes before PostgreSQL's own, and sessions are made anew.
    """

    def run(*statements: str) -> None:
        with reader.connect(service) as owner:
            for statement in (*statements, ending_sessions(service)):
                owner.execute(statement.encode())

    def mend() -> None:
        run(f"ALTER DATABASE {service} RESET search_path")

    try:
        run(
            "CREATE SCHEMA IF NOT EXISTS wrong_clock",
            "CREATE OR REPLACE FUNCTION wrong_clock.now() RETURNS timestamptz LANGUAGE sql STABLE"
            f" RETURN pg_catalog.now() + make_interval(secs => {seconds})",
            f"ALTER DATABASE {service} SET search_path = wrong_clock, pg_catalog, public",
        )
        yield
    finally:
        persistently(mend)


def jump(hours: int) -> Callable[[Stage, Random], AbstractContextManager[str]]:
    """Return the nemesis that moves the times that are stored by ``hours``: what a jump of the clock is to who reads.

    Only times that say when something is due are moved; when an order was made is part of what it says.
    """

    @contextmanager
    def act(stage: Stage, _: Random) -> Iterator[str]:
        moved = _move(stage, hours, "{column} IS NOT NULL")
        yield f"the clock jumps {'back' if hours > 0 else 'forward'} by {abs(hours)} hours: {moved} times are due then"
        if hours > 0:  # what was due in the past is due no more: whoever found it so has set it anew
            _move(stage, -hours, f"{{column}} > now() + interval '{hours - 1} hours'")

    return act


def _move(stage: Stage, hours: int, where: str) -> int:
    moved = 0
    for service, table, column in (
        ("orchestrator_svc", "sagas", "deadline"),
        ("order_svc", "outbox", "create_time"),
        ("order_svc", "orders", "announce_time"),  # it is of no account in orders that are final
    ):
        with stage.recorder.reader.connect(service) as connection:
            found = connection.execute(
                "SELECT 1 FROM information_schema.columns WHERE table_name = %s AND column_name = %s", [table, column]
            ).fetchone()
            if found:
                condition = where.format(column=column)
                statement = f"UPDATE {table} SET {column} = {column} + make_interval(hours => %s) WHERE {condition}"  # noqa: S608 - constants
                moved += _where_it_deadlocks(connection, statement, hours)
    return moved


def _where_it_deadlocks(connection: psycopg.Connection, statement: str, hours: int) -> int:
    """Run it again where it was picked as a deadlock's victim: it locks rows in no order."""
    for _ in range(5):
        try:
            return connection.execute(statement.encode(), [hours]).rowcount
        except psycopg.errors.DeadlockDetected:
            time.sleep(0.2)
    return 0
