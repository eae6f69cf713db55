"""The statements of a recorded transaction: what was sent and when, and never what it is about."""

import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from sagakit.trace_context import TraceContext
from sagakit.tracing import statements
from sagakit.tracing.messages import transacting

CALL = TraceContext("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7", sampled=True)
OTHER = TraceContext("00000000000000000000000000000001", "00f067aa0ba902b7", sampled=True)


def watched() -> statements.Watch:
    watch = statements.watch()
    assert watch is not None
    return watch


def test_each_statement_is_beneath_the_transaction_of_each_trace(kept: InMemorySpanExporter) -> None:
    with transacting(2, [CALL, OTHER]):
        watch = watched()
        watch.sent(b"SELECT *\n    FROM rooms WHERE id = $1")
        watch.answered()
    spans = kept.get_finished_spans()
    transactions = [one.context.span_id for one in spans if one.name == "transaction" if one.context]
    ones = [one for one in spans if one.name == "SELECT rooms"]
    assert [one.parent.span_id for one in ones if one.parent] == transactions
    assert dict(ones[0].attributes or {}) == {
        "db.system.name": "postgresql",
        "db.query.summary": "SELECT rooms",
        "db.query.text": "SELECT * FROM rooms WHERE id = $1",
    }


def test_a_statement_that_fails_says_by_which_sqlstate(kept: InMemorySpanExporter) -> None:
    with transacting(1, [CALL]):
        watch = watched()
        watch.sent(b"SELECT 1")
        watch.sent(b"SELECT 2")
        watch.answered()
        watch.answered("23505")
    well, bad, _ = kept.get_finished_spans()
    assert (well.status.status_code, bad.status.status_code) == (StatusCode.UNSET, StatusCode.ERROR)
    assert dict(bad.attributes or {})["db.response.status_code"] == "23505"


def test_a_statement_that_nobody_answers_ends_with_its_transaction(kept: InMemorySpanExporter) -> None:
    def lose() -> None:
        with transacting(1, [CALL]):
            watched().sent(b"SELECT 1")
            raise ConnectionError

    with pytest.raises(ConnectionError):
        lose()
    statement, transaction = kept.get_finished_spans()
    assert statement.end_time is not None
    assert transaction.end_time is not None
    assert statement.end_time <= transaction.end_time


def test_behind_the_block_nothing_is_noted(kept: InMemorySpanExporter) -> None:
    with transacting(1, [CALL]):
        pass
    assert statements.watch() is None
    assert len(kept.get_finished_spans()) == 1


@pytest.mark.parametrize(
    ("query", "summary"),
    [
        ("SELECT now()", "SELECT"),
        ("SELECT a FROM rooms JOIN guests USING (id) WHERE id = ANY($1) FOR NO KEY UPDATE", "SELECT rooms guests"),
        ("SELECT id FROM rooms FOR UPDATE SKIP LOCKED", "SELECT rooms"),
        ("INSERT INTO rooms (a) SELECT a FROM unnest($1::bigint[]) AS found (a)", "INSERT rooms"),
        ("WITH stored AS (UPDATE rooms SET a = 1 RETURNING id) INSERT INTO events (id) SELECT id FROM stored",
         "UPDATE rooms INSERT events"),
        ("INSERT INTO line (a) VALUES ($1) ON CONFLICT (a) DO UPDATE SET a = $1", "INSERT line"),
        ("WITH asked AS MATERIALIZED (SELECT $1) SELECT * FROM asked JOIN rooms USING (id)", "WITH rooms"),
        ("DELETE FROM rooms WHERE id = $1", "DELETE rooms"),
        ("BEGIN", "BEGIN"),
    ],
)  # fmt: skip
def test_a_summary_names_operations_and_tables(query: str, summary: str) -> None:
    assert statements.summary_of(query) == summary
