"""Pipelines: what statements select, when they are sent, and what becomes of those that fail."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from devstack.stack import Stack
from sagakit.families import passes
from sagakit.postgres.pipeline import Pipeline, Session
from tests.support.scratch import scratch_database


@pytest.fixture(scope="module")
def dsn(stack: Stack) -> str:
    return scratch_database(stack)


@pytest.fixture
def session(dsn: str) -> Iterator[Session]:
    session = Session(psycopg.connect(dsn, autocommit=True))
    with session.pipeline() as pipeline:
        pipeline.execute("DROP TABLE IF EXISTS notes")
        pipeline.execute("CREATE TABLE notes (number bigint PRIMARY KEY, text text)")
    yield session
    session.close()


def notes(session: Session) -> list[int]:
    with session.pipeline() as pipeline:
        return [row.number for row in pipeline.execute("SELECT number FROM notes ORDER BY number")]


def run(session: Session, function: Callable[[Pipeline], object]) -> None:
    with session.pipeline() as pipeline:
        function(pipeline)


def add(pipeline: Pipeline, number: int) -> None:
    pipeline.execute("INSERT INTO notes VALUES (%(number)s, %(text)s)", {"number": number, "text": f"number {number}"})


def test_rows_have_the_names_and_the_types_of_their_columns(session: Session) -> None:
    with session.pipeline() as pipeline:
        (row,) = pipeline.execute(
            "SELECT %(n)s::bigint AS n, %(t)s::text AS t, %(b)s::boolean AS b, %(w)s::timestamptz AS w,"
            " %(i)s::interval AS i, %(n)s + 1, NULL AS nothing",
            {
                "n": 2**40,
                "t": "ä'\"\\ %",
                "b": True,
                "w": datetime(2026, 1, 2, tzinfo=UTC),
                "i": timedelta(seconds=90),
            },
        )
    assert (row.n, row.t, row.b, row.w) == (2**40, "ä'\"\\ %", True, datetime(2026, 1, 2, tzinfo=UTC))
    assert (row.i, row[5], row.nothing) == (timedelta(seconds=90), 2**40 + 1, None)


def test_rows_can_be_read_in_any_order_and_after_the_end(session: Session) -> None:
    with session.pipeline() as pipeline:
        first, second, third = (pipeline.execute(f"SELECT {n} AS n") for n in (1, 2, 3))
        assert second.fetchall() == [(2,)]
        assert first.fetchone() == (1,)
    assert third.fetchall() == third.fetchall() == [(3,)]
    assert first.fetchall() == [(1,)]


def test_what_selects_nothing_has_no_rows(session: Session) -> None:
    with session.pipeline() as pipeline:
        assert pipeline.execute("SELECT * FROM notes").fetchone() is None
        assert pipeline.execute("DELETE FROM notes").fetchall() == []


def test_a_statement_is_prepared_once_whatever_its_values(session: Session) -> None:
    for number in range(5):
        with session.pipeline() as pipeline:
            add(pipeline, number)
            add(pipeline, -number - 1)
    with session.pipeline() as pipeline:
        names = pipeline.execute("SELECT name FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO notes%'")
        assert len(names.fetchall()) == 1


def test_what_failed_to_be_prepared_can_be_run_later(session: Session) -> None:
    for _ in range(2):
        with pytest.raises(psycopg.errors.UndefinedTable), session.pipeline() as pipeline:
            pipeline.execute("SELECT later FROM made_later")
    with session.pipeline() as pipeline:
        pipeline.execute("CREATE TABLE made_later AS SELECT 7 AS later")
    with session.pipeline() as pipeline:
        assert pipeline.execute("SELECT later FROM made_later").fetchall() == [(7,)]


def test_statements_stay_prepared_whatever_is_rolled_back(session: Session) -> None:
    for _ in range(3):
        for _ in range(10):
            session.check()
        with pytest.raises(psycopg.errors.DivisionByZero):
            run(session, lambda pipeline: pipeline.execute("SELECT 1 / 0").fetchall())
    assert notes(session) == []


@pytest.mark.parametrize("statements", [0, 1, 2])
@pytest.mark.parametrize("read", [True, False])
def test_what_the_block_refuses_is_undone_without_a_word(session: Session, statements: int, read: bool) -> None:
    words: list[str | None] = []
    session.connection.add_notice_handler(lambda notice: words.append(notice.message_primary))

    def fail(pipeline: Pipeline) -> None:
        for number in range(statements):
            add(pipeline, number)
        if read:
            assert len(pipeline.execute("SELECT number FROM notes").fetchall()) == statements
        raise KeyError

    with pytest.raises(KeyError):
        run(session, fail)
    assert notes(session) == []
    assert words == []


def test_a_transaction_is_one_to_others_however_many_statements_it_sends_at_a_time(session: Session, dsn: str) -> None:
    other = Session(psycopg.connect(dsn, autocommit=True))
    with session.pipeline() as pipeline:
        add(pipeline, 1)
        assert pipeline.execute("SELECT number FROM notes").fetchall() == [(1,)]
        add(pipeline, 2)
        began = pipeline.execute("SELECT now()").fetchall()
        assert notes(other) == []
        assert pipeline.execute("SELECT now()").fetchall() == began
    assert notes(other) == [1, 2]
    other.close()


def test_rows_come_with_a_commit_and_what_follows_is_another_transaction(session: Session) -> None:
    def commit_then_fail(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        first = pipeline.execute("SELECT now()")
        pipeline.commit()
        assert first.there
        assert pipeline.execute("SELECT now()").fetchall() > first.fetchall()
        add(pipeline, 2)
        raise KeyError

    with pytest.raises(KeyError):
        run(session, commit_then_fail)
    assert notes(session) == [1]


def test_a_commit_in_the_midst_that_fails_undoes_what_came_before_it(session: Session) -> None:
    def fail(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        pipeline.commit()
        add(pipeline, 2)
        pipeline.execute("SELECT 1 / 0")
        pipeline.commit()

    with pytest.raises(psycopg.errors.DivisionByZero):
        run(session, fail)
    assert notes(session) == [1]


def test_a_commit_that_fails_raises_and_undoes_everything(session: Session) -> None:
    def break_a_promise(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        pipeline.execute("INSERT INTO promises VALUES (7)")

    with session.pipeline() as pipeline:
        pipeline.execute("DROP TABLE IF EXISTS promises")
        pipeline.execute("CREATE TABLE promises (number bigint REFERENCES notes DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run(session, break_a_promise)
    assert notes(session) == []
    with session.pipeline() as pipeline:
        pipeline.execute("DROP TABLE promises")


def test_an_error_that_the_block_swallows_is_raised_at_the_end(session: Session) -> None:
    def swallow(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        with pytest.raises(psycopg.errors.DivisionByZero):
            pipeline.execute("SELECT 1 / 0").fetchall()

    with pytest.raises(psycopg.errors.DivisionByZero):
        run(session, swallow)
    assert notes(session) == []


def test_a_connection_whose_statements_the_server_has_forgotten_is_closed(session: Session) -> None:
    assert notes(session) == []
    session.connection.execute("DEALLOCATE ALL")
    with pytest.raises(psycopg.errors.InvalidSqlStatementName) as caught:
        notes(session)
    assert passes(caught.value)
    assert session.connection.closed


def test_the_first_of_several_errors_is_raised(session: Session) -> None:
    def add_twice(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        add(pipeline, 1)
        pipeline.execute("SELECT 1 / 0")

    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        run(session, add_twice)
    assert caught.value.diag.constraint_name == "notes_pkey"
    assert notes(session) == []


def test_the_statement_that_failed_and_those_after_it_have_no_rows(session: Session) -> None:
    def read(pipeline: Pipeline) -> None:
        bad, next_one = pipeline.execute("SELECT 1 / 0"), pipeline.execute("SELECT 1")
        with pytest.raises(psycopg.errors.DivisionByZero):
            next_one.fetchall()
        for rows in (bad, next_one):
            with pytest.raises(psycopg.Error):
                rows.fetchall()

    with pytest.raises(psycopg.Error):
        run(session, read)
    assert notes(session) == []


def test_an_error_of_the_block_is_raised_rather_than_the_servers(session: Session) -> None:
    def fail(pipeline: Pipeline) -> None:
        pipeline.execute("SELECT 1 / 0")
        raise KeyError

    with pytest.raises(KeyError):
        run(session, fail)
    assert notes(session) == []


def test_text_that_the_server_cannot_hold_is_refused_before_it_is_sent(session: Session) -> None:
    with pytest.raises(psycopg.DataError), session.pipeline() as pipeline:
        pipeline.execute("INSERT INTO notes VALUES (1, %(text)s)", {"text": "cut\0off"})
    assert notes(session) == []


def test_more_than_the_sockets_hold_goes_both_ways(session: Session) -> None:
    large = "x" * 3_000_000
    with session.pipeline() as pipeline:
        echoes = [pipeline.execute("SELECT %(large)s::text AS large", {"large": large}) for _ in range(8)]
    assert all(echo.fetchall() == [(large,)] for echo in echoes)


def test_a_lost_connection_is_closed(session: Session) -> None:
    def lose(pipeline: Pipeline) -> None:
        add(pipeline, 1)
        pipeline.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    with pytest.raises(psycopg.OperationalError):
        run(session, lose)
    assert session.connection.closed
    with pytest.raises(psycopg.OperationalError):
        run(session, lambda pipeline: add(pipeline, 2))


def test_an_error_does_not_repeat_the_row_that_the_server_refused(session: Session) -> None:
    """Errors go into logs, where no postal address belongs."""

    def refused(pipeline: Pipeline) -> None:
        pipeline.execute("CREATE TEMPORARY TABLE houses (street text CHECK (street <> 'Baker Street'))")
        pipeline.execute("INSERT INTO houses VALUES (%(street)s)", {"street": "Baker Street"})

    with pytest.raises(psycopg.errors.CheckViolation, match="violates check constraint") as error:
        run(session, refused)
    assert "Baker Street" not in str(error.value)
    assert error.value.diag.constraint_name == "houses_street_check"
