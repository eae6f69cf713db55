"""Looking into a service's database, as its owner may."""

from typing import Any

import psycopg

END_SESSIONS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
"""Ends all other sessions of a database. An autovacuum worker is none, and an owner may not end one."""


def query(dsn: str, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """Run one statement with ``%s`` placeholders, commit, and return its rows, if it has any."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), values)
        return cursor.fetchall() if cursor.description else []


def count(dsn: str, sql: str, *values: object) -> int:
    """Return the one number that a query yields."""
    ((number,),) = query(dsn, sql, *values)
    return int(number)
