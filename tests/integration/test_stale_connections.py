"""What has changed behind a connection's back: the transaction is done again, and nobody notices; or it passes."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.families import Family, family_of, passes
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Pipeline, Transaction, _statement
from tests.support.scratch import database_of, scratch_database
from tests.support.sql import END_SESSIONS

T = TypeVar("T")
CONNECTIONS = 5


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return scratch_database(stack)


@pytest.fixture
def admin(dsn: str) -> Iterator["psycopg.Connection[tuple[object, ...]]"]:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("DROP TABLE IF EXISTS notes")
        admin.execute("CREATE TABLE notes (number bigint PRIMARY KEY, text text)")
        yield admin


@pytest.fixture
def database(dsn: str, admin: object) -> Iterator[Database]:  # noqa: ARG001 - it makes the table
    database = database_of(dsn, CONNECTIONS)
    yield database
    database.close()


def read(tx: Transaction) -> list[tuple[object, ...]]:
    return tx.execute("SELECT * FROM notes ORDER BY number").fetchall()


def add(tx: Transaction, number: int = 1) -> list[tuple[object, ...]]:
    tx.execute("INSERT INTO notes (number, text) VALUES (%(number)s, 'x')", {"number": number})
    return read(tx)


def in_every_connection(database: Database, do: Callable[[Transaction], T]) -> list[T]:
    """Run ``do`` in as many transactions at once as there are connections."""
    barrier = Barrier(CONNECTIONS)

    def meet(tx: Transaction) -> T:
        done = do(tx)
        barrier.wait(10)
        return done

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        return list(threads.map(lambda _: database.transact(meet), range(CONNECTIONS)))


CHANGES = {
    "a column's type": "ALTER TABLE notes ALTER text TYPE varchar(60)",
    "another column": "ALTER TABLE notes ADD colour text DEFAULT 'red'",
    "one column less": "ALTER TABLE notes DROP text; ALTER TABLE notes ADD text text",
    "the table made anew": "DROP TABLE notes; CREATE TABLE notes (text text, number bigint PRIMARY KEY)",
    "the table exchanged": "ALTER TABLE notes RENAME TO old;"
    " CREATE TABLE notes (LIKE old INCLUDING ALL); DROP TABLE old",
    "the connections ended": END_SESSIONS,
}


def test_whole_numbers_stay_so_in_a_column_that_is_made_numeric(
    database: Database, admin: "psycopg.Connection[object]"
) -> None:
    database.transact(add)
    admin.execute("ALTER TABLE notes ALTER number TYPE numeric")
    ((number, _),) = database.transact(read)
    assert (number, type(number)) == (1, int)


@pytest.mark.parametrize("change", CHANGES)
def test_what_changes_under_prepared_statements_is_noticed_by_nobody(
    database: Database, admin: "psycopg.Connection[object]", change: str
) -> None:
    kept = database.kept()
    kept.transact(read)
    in_every_connection(database, read)
    admin.execute(CHANGES[change])
    assert in_every_connection(database, read) == [[]] * CONNECTIONS
    assert len(kept.transact(add)) == 1
    assert len(database.transact(lambda tx: add(tx, 2))) == 2
    kept.close()


@pytest.mark.parametrize("forgetting", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_statement_that_a_server_forgets_is_prepared_again(database: Database, forgetting: str) -> None:
    kept = database.kept()
    for number in range(1, 4):
        assert len(kept.transact(lambda tx: add(tx, number))) == number  # noqa: B023 - it is called at once
        kept.session().connection.execute(forgetting.encode())
    kept.close()


def test_every_connection_whose_statements_are_forgotten_is_mended(database: Database) -> None:
    in_every_connection(database, read)
    in_every_connection(database, lambda tx: tx.execute("DEALLOCATE ALL").fetchall())
    assert in_every_connection(database, read) == [[]] * CONNECTIONS


def test_a_statement_that_somebody_else_has_prepared_under_our_name_does_no_harm(database: Database) -> None:
    kept = database.kept()
    name = _statement("SELECT 42 AS answer").name.decode()
    kept.session().connection.execute(f"PREPARE {name} AS SELECT 41".encode())
    assert kept.transact(lambda tx: tx.execute("SELECT 42 AS answer").fetchall()) == [(42,)]
    kept.close()


async def test_the_event_loop_does_not_notice_either(database: Database, admin: "psycopg.Connection[object]") -> None:
    assert await database.run(read) == []
    admin.execute("ALTER TABLE notes ALTER text TYPE varchar(50)")
    assert await database.run(read) == []


def test_a_connection_that_ends_before_the_commit_leaves_nothing_and_is_done_again(database: Database) -> None:
    runs = []

    def end_once(tx: Transaction) -> None:
        add(tx)
        runs.append(1)
        if len(runs) == 1:
            tx.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    database.transact(end_once)
    assert len(runs) == 2
    assert len(database.transact(read)) == 1


def test_what_is_stale_again_and_again_is_raised_after_three_attempts(database: Database) -> None:
    runs = []

    def end(tx: Transaction) -> None:
        runs.append(1)
        tx.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    with pytest.raises(psycopg.errors.AdminShutdown) as caught:
        database.transact(end)
    assert len(runs) == 3
    assert passes(caught.value)


def test_what_may_be_committed_is_not_done_again(database: Database, admin: "psycopg.Connection[object]") -> None:
    admin.execute(
        "CREATE OR REPLACE FUNCTION end_it() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END'"
    )
    admin.execute(
        "CREATE CONSTRAINT TRIGGER ends AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION end_it()"
    )
    runs = []

    def add_one(tx: Transaction) -> None:
        runs.append(1)
        tx.execute("INSERT INTO notes VALUES (1, 'x')")

    with pytest.raises(psycopg.OperationalError) as caught:
        database.transact(add_one)
    assert len(runs) == 1
    assert family_of(caught.value) is Family.PASSING


def test_what_is_committed_in_part_is_not_done_again(database: Database) -> None:
    runs = []

    def add_and_end(pipeline: Pipeline) -> None:
        runs.append(1)
        add(pipeline, len(runs))
        pipeline.commit()
        pipeline.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    kept = database.kept()
    with pytest.raises(psycopg.errors.AdminShutdown):
        kept.transact(add_and_end)
    kept.close()
    assert len(database.transact(read)) == 1


def end_others(admin: "psycopg.Connection[object]") -> None:
    admin.execute(CHANGES["the connections ended"])


async def test_a_read_only_server_passes_and_nobody_keeps_its_connections(
    database: Database, admin: "psycopg.Connection[object]", dsn: str
) -> None:
    name = dsn.rsplit("/", 1)[1].partition("?")[0]
    kept = database.kept()
    kept.transact(read)
    assert await database.is_writable()
    admin.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    end_others(admin)
    try:
        assert not await database.is_writable()
        for transact in (database.transact, kept.transact):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction) as caught:
                transact(add)
            assert passes(caught.value)
        assert database.transact(read) == [], "a read-only server can still be read"
        in_every_connection(database, read)
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            database.transact(add)
    finally:
        admin.execute(f'ALTER DATABASE "{name}" RESET default_transaction_read_only')
    # The server is another one now, and nobody has ended the connections that still go to the old one.
    in_every_connection(database, lambda tx: tx.execute("DELETE FROM notes").fetchall())
    assert len(database.transact(add)) == 1
    assert len(kept.transact(lambda tx: add(tx, 2))) == 2
    database.connect_anew()
    assert await database.is_writable()
    kept.close()


def test_what_a_session_got_at_its_login_goes_with_its_cause(
    database: Database, admin: "psycopg.Connection[object]", dsn: str
) -> None:
    name = dsn.rsplit("/", 1)[1].partition("?")[0]
    kept = database.kept()
    admin.execute(f'ALTER DATABASE "{name}" SET search_path = nowhere')
    try:
        for transact in (database.transact, kept.transact):
            with pytest.raises(psycopg.errors.UndefinedTable) as caught:
                transact(add)
            assert passes(caught.value)
    finally:
        admin.execute(f'ALTER DATABASE "{name}" RESET search_path')
    time.sleep(1)  # a session that is younger is no reason to log in again
    for transact in (database.transact, kept.transact):
        with pytest.raises(psycopg.errors.UndefinedTable):
            transact(add)
    assert len(database.transact(add)) == 1
    assert len(kept.transact(lambda tx: add(tx, 2))) == 2
    kept.close()


def test_rows_that_a_policy_hides_are_not_taken_for_none(
    database: Database, admin: "psycopg.Connection[object]"
) -> None:
    database.transact(add)
    admin.execute("ALTER TABLE notes ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        database.transact(read)
    assert passes(caught.value)
    admin.execute("ALTER TABLE notes DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
    assert len(database.transact(read)) == 1
