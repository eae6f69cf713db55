"""The tables that the code's statements are made from are those that the migrations make."""

from importlib import import_module

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData

from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.postgres.migrations import engine
from tests.support.migrating import url_of
from tests.support.scratch import migrated_database, scratch_database
from tests.support.sql import query

IN_CATALOGUE = {
    "columns": """
        SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull, attidentity,
               pg_get_expr(adbin, adrelid)
        FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid AND relkind = 'r'
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
        WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped AND relname <> 'alembic_version'
        ORDER BY relname, attnum
    """,
    "keys and checks": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND conrelid::regclass::text <> 'alembic_version'
        ORDER BY 1, 2
    """,
    "indexes": """
        SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version'
        ORDER BY 1
    """,
    "sequences": "SELECT sequencename, data_type, start_value, increment_by FROM pg_sequences ORDER BY 1",
}
"""What Alembic compares only in part, or not at all: checks, the rows that an index holds, sequences."""


def tables_of(service: str) -> MetaData:
    tables: MetaData = import_module(f"{service}.tables").TABLES
    return tables


@pytest.mark.parametrize("service", NAMES)
def test_alembic_finds_nothing_to_migrate_from_what_the_migrations_make(stack: Stack, service: str) -> None:
    with engine(url_of(migrated_database(stack, service))).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, tables_of(service)) == []


@pytest.mark.parametrize("service", NAMES)
def test_tables_made_from_the_code_are_those_that_the_migrations_make(stack: Stack, service: str) -> None:
    migrated, made = migrated_database(stack, service), scratch_database(stack)
    with engine(url_of(made)).begin() as connection:
        tables_of(service).create_all(connection)
    for what, sql in IN_CATALOGUE.items():
        assert query(made, sql) == query(migrated, sql), what
