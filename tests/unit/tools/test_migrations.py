"""A migration that would hold up a table in use, or break when it is repeated, does not pass `make lint`."""

from pathlib import Path
from textwrap import dedent

import pytest

from tools.migrations import problems, revisions

BAD = {
    "an index that is not built concurrently": "CREATE INDEX i ON orders (user_id)",
    "a unique index that is not": "CREATE UNIQUE INDEX i ON orders (user_id)",
    "a required column without a default": "ALTER TABLE orders ADD COLUMN c text NOT NULL",
    "a column whose default each row computes": "ALTER TABLE orders ADD COLUMN c uuid DEFAULT gen_random_uuid()",
    "a stored generated column": "ALTER TABLE orders ADD COLUMN c bigint GENERATED ALWAYS AS (price * 2) STORED",
    "another type": "ALTER TABLE orders ALTER COLUMN price TYPE numeric",
    "a column made required": "ALTER TABLE orders ALTER COLUMN request_id SET NOT NULL",
    "a check that reads the table": "ALTER TABLE orders ADD CONSTRAINT c CHECK (price > 0)",
    "a check without a name": "ALTER TABLE orders ADD CHECK (price > 0)",
    "a check that is validated in its own transaction": (
        "ALTER TABLE orders ADD CONSTRAINT c CHECK (price > 0) NOT VALID; ALTER TABLE orders VALIDATE CONSTRAINT c"
    ),
    "a unique constraint": "ALTER TABLE orders ADD CONSTRAINT c UNIQUE (user_id)",
    "a foreign key": "ALTER TABLE orders ADD CONSTRAINT c FOREIGN KEY (user_id) REFERENCES users",
    "a renamed column": "ALTER TABLE orders RENAME COLUMN price TO unit_price",
    "a dropped column": "ALTER TABLE orders DROP COLUMN price",
    "a renamed table": "ALTER TABLE orders RENAME TO all_orders",
    "a dropped table": "DROP TABLE orders",
    "an index built anew": "REINDEX TABLE orders",
    "an index built concurrently in a transaction": "CREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (user_id)",
}
GOOD = {
    "a new table with its index": "CREATE TABLE t (id bigint PRIMARY KEY, c text); CREATE INDEX i ON t (c)",
    "an optional column": "ALTER TABLE orders ADD COLUMN c text",
    "a column with one default for all": "ALTER TABLE orders ADD COLUMN c timestamptz NOT NULL DEFAULT now()",
    "a check for what is written from now on": "ALTER TABLE orders ADD CONSTRAINT c CHECK (price > 0) NOT VALID",
    "a check that is validated by a revision of its own": "ALTER TABLE orders VALIDATE CONSTRAINT c",
    "a statement that is excepted": "-- squawk-ignore ban-drop-table -- nothing reads it any more\nDROP TABLE orders",
}
VERSION = "UPDATE alembic_version SET version_num = '2'"


def transaction(statements: str) -> str:
    return f"BEGIN;\n\n{statements};\n\n{VERSION};\n\nCOMMIT;\n"


def in_parts(first: str, alone: str) -> str:
    """Return a revision that commits ``first``, runs ``alone`` outside of any transaction, and is noted then."""
    return f"BEGIN;\n\n{first};\n\nCOMMIT;\n\n{alone};\n\nBEGIN;\n\n{VERSION};\n\nCOMMIT;\n"


@pytest.mark.parametrize("statements", BAD.values(), ids=BAD)
def test_what_holds_up_a_table_or_the_code_before_is_found(statements: str) -> None:
    assert list(problems(transaction(statements)))


@pytest.mark.parametrize("statements", GOOD.values(), ids=GOOD)
def test_what_holds_up_nobody_passes(statements: str) -> None:
    assert list(problems(transaction(statements))) == []


INDEX = "DROP INDEX CONCURRENTLY IF EXISTS i;\n\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON orders (c)"


@pytest.mark.parametrize(
    ("first", "alone", "passes"),
    [
        ("ALTER TABLE orders ADD COLUMN IF NOT EXISTS c text", INDEX, True),
        ("ALTER TABLE orders ADD COLUMN c text", INDEX, False),
        ("CREATE TABLE t (c text)", INDEX, False),
        ("ALTER TABLE orders ADD COLUMN IF NOT EXISTS c text", "CREATE INDEX CONCURRENTLY i ON orders (c)", False),
    ],
)
def test_what_is_committed_before_the_end_can_be_repeated(first: str, alone: str, passes: bool) -> None:
    assert (list(problems(in_parts(first, alone))) == []) is passes


def test_a_problem_names_the_statement_the_rule_and_the_way_out() -> None:
    (problem,) = problems(transaction("CREATE INDEX i ON orders (user_id)"))
    assert problem.startswith("CREATE INDEX i ON orders (user_id);: ")
    assert "(require-concurrent-index-creation)" in problem
    assert "Use `concurrently`" in problem


REVISION = """
    from alembic import op
    revision, down_revision, branch_labels, depends_on = {revision!r}, {before!r}, None, None
    def upgrade(): op.execute({sql!r})
"""


def test_each_revision_of_a_service_is_read_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    versions = tmp_path / "bad_svc" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / "bad_svc" / "__init__.py").touch()
    (versions.parent / "env.py").write_text("from sagakit.postgres.migrations import run\nrun()\n")
    for revision, before, sql in [("1", None, "CREATE TABLE t (c text)"), ("2", "1", "CREATE INDEX i ON t (c)")]:
        text = REVISION.format(revision=revision, before=before, sql=sql)
        (versions / f"{revision}.py").write_text(dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    found = {revision: list(problems(sql)) for revision, sql in revisions("bad_svc")}
    assert found["1"] == []
    assert ["concurrent" in problem for problem in found["2"]] == [True]
