"""Transactions: whole or not at all, whenever their statements' errors come to light; arrays, as they are written."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import sagakit.postgres.pool
from devstack.stack import Stack
from sagakit.families import passes
from sagakit.postgres.database import Database
from sagakit.postgres.pipeline import Transaction
from sagakit.postgres.sql import array
from sagakit.runtime import logs
from sagakit.trace_context import TraceContext
from sagakit.tracing import spans
from sagakit.tracing.messages import transacting
from tests.support.scratch import database_of, scratch_database
from tests.support.sql import END_SESSIONS


@pytest.fixture(scope="module")
def database(stack: Stack) -> Iterator[Database]:
    database = database_of(scratch_database(stack))
    with database.transaction() as tx:
        tx.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
    yield database
    database.close()


@pytest.fixture(autouse=True)
def nothing(database: Database) -> None:
    with database.transaction() as tx:
        tx.execute("DELETE FROM numbers")


def numbers(database: Database) -> list[int]:
    with database.transaction() as tx:
        return [row.number for row in tx.execute("SELECT number FROM numbers ORDER BY number")]


def add(database: Database, *wanted: int) -> None:
    with database.transaction() as tx:
        for number in wanted:
            tx.execute("INSERT INTO numbers VALUES (%(number)s)", {"number": number})


def test_what_a_block_does_is_there_once_it_has_ended(database: Database) -> None:
    add(database, 1, 2)
    assert numbers(database) == [1, 2]


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    def fail_in_the_middle() -> None:
        with database.transaction() as tx:
            tx.execute("INSERT INTO numbers VALUES (3)")
            raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        fail_in_the_middle()
    assert numbers(database) == []


def test_a_statement_that_nobody_read_fails_its_transaction_all_the_same(database: Database) -> None:
    add(database, 1)
    for _ in range(20):  # the connections stay usable
        with pytest.raises(psycopg.errors.UniqueViolation):
            add(database, 4, 1, 5)
    assert numbers(database) == [1]


def test_connections_stay_usable_however_often_they_are_checked_and_fail(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sagakit.postgres.pool, "_FRESH_SECONDS", 0.0)
    add(database, 1)
    for _ in range(3):
        for _ in range(10):
            assert numbers(database) == [1]
        with pytest.raises(psycopg.errors.UniqueViolation):
            add(database, 1)


async def test_the_event_loop_runs_transactions_beside_it(database: Database) -> None:
    await database.run(lambda tx: tx.execute("INSERT INTO numbers VALUES (6)"))
    assert numbers(database) == [6]
    with pytest.raises(psycopg.errors.UniqueViolation):
        await database.run(lambda tx: tx.execute("INSERT INTO numbers VALUES (6)"))


async def test_a_line_that_a_transaction_logs_says_of_which_call_it_is(database: Database) -> None:
    def speak(tx: Transaction) -> None:
        tx.execute("SELECT 1").fetchall()
        said.append(logs.say_about(None, "", {}).get("trace_id"))

    said: list[str | None] = []
    logs.speak_of(lambda _: {"method": "Add", "trace_id": "abc"})
    for run in (database.run, database.scan):
        await run(speak)
    logs.speak_of(None)
    await database.run(speak)
    assert said == ["abc", "abc", None]


async def test_a_recorded_transaction_notes_its_statements_each_with_its_answer(database: Database) -> None:
    trace = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
    exporter = InMemorySpanExporter()
    spans.use(spans.Tracing(SimpleSpanProcessor(exporter), None, Resource.create({})))
    try:
        with transacting(1, [trace]):
            await database.run(lambda tx: tx.execute("INSERT INTO numbers VALUES (%(number)s)", {"number": 4711}))
        with pytest.raises(psycopg.errors.UniqueViolation), transacting(1, [trace]):
            add(database, 4711)
        with transacting(1, [trace._replace(sampled=False)]):
            assert numbers(database) == [4711]
    finally:
        spans.use(None)
    first, transaction, again, failed = exporter.get_finished_spans()
    assert [one.name for one in (first, transaction, again, failed)] == ["INSERT numbers", "transaction"] * 2
    assert dict(first.attributes or {})["db.query.text"] == "INSERT INTO numbers VALUES ($1)"
    assert "4711" not in first.to_json()
    assert dict(again.attributes or {})["db.response.status_code"] == "23505"
    assert first.start_time is not None
    assert first.end_time is not None
    assert transaction.end_time is not None
    assert first.start_time < first.end_time <= transaction.end_time


async def test_a_short_transaction_does_not_wait_for_reads_that_scan(database: Database) -> None:
    held = {"lock": 4711}
    with database.transaction() as tx:
        tx.execute("SELECT pg_advisory_xact_lock(%(lock)s)", held).fetchall()
        scans = [
            asyncio.create_task(
                database.scan(lambda tx: tx.execute("SELECT pg_advisory_xact_lock_shared(%(lock)s)", held).fetchall())
            )
            for _ in range(50)
        ]
        async with asyncio.timeout(20):
            assert await database.is_writable()
            await database.run(lambda tx: tx.execute("INSERT INTO numbers VALUES (8)"))
        assert not any(scan.done() for scan in scans)
    await asyncio.gather(*scans)
    assert numbers(database) == [8]


def test_connections_that_the_server_has_closed_are_made_anew(database: Database) -> None:
    add(database, 7)
    with database.transaction() as tx:
        tx.execute(END_SESSIONS).fetchall()
        assert numbers(database) == [7]


def test_a_thread_keeps_its_connection_until_the_server_has_closed_it(database: Database) -> None:
    kept = database.kept()

    def process() -> int:
        with kept.session().pipeline() as tx:
            number: int = tx.execute("SELECT pg_backend_pid()").fetchall()[0][0]
            return number

    first = process()
    assert process() == first
    with database.transaction() as tx:
        tx.execute("SELECT pg_terminate_backend(%(pid)s::int, 5000)", {"pid": first})
    second = process()
    assert second != first
    assert process() == second
    kept.close()
    assert process() not in {first, second}
    kept.close()


def test_a_connection_lost_in_the_middle_passes_by_itself(database: Database) -> None:
    def lose_it() -> None:
        with database.transaction() as tx:
            tx.execute("SELECT pg_terminate_backend(pg_backend_pid())").fetchall()

    with pytest.raises(psycopg.OperationalError) as caught:
        lose_it()
    assert passes(caught.value)
    assert numbers(database) == []


TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(
    ["NULL", "", '"', "\\"]
)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - they get one


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", st.integers(-(2**63), 2**63 - 1)),
        ("boolean", st.booleans()),
        ("text", TEXTS),
        ("bytea", st.binary()),
        ("timestamptz", TIMES),
    ],
)
def test_an_array_is_read_as_it_was_written(database: Database, kind: str, values: st.SearchStrategy[object]) -> None:
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(values | st.none()))
    def check(written: list[object]) -> None:
        with database.transaction() as tx:
            cursor = tx.execute(f"SELECT %(values)s::{kind}[] AS read", {"values": array(written)})
            assert cursor.fetchall()[0].read == written

    check()
