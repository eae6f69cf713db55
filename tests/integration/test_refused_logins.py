"""A server that refuses who logs in: ``migrate`` says so at once, since that never mends itself."""

import uuid

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devstack.stack import Stack
from tests.support.migrating import migrating
from tests.support.scratch import scratch_database
from tests.support.sql import query


def refused(dsn: str) -> str:
    """What ``migrate`` says at a server that refuses the login; it does not wait for it."""
    with migrating("order_svc", dsn) as process:
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "waiting" not in output
    return output


def test_a_wrong_password_is_refused_at_once(stack: Stack) -> None:
    dsn = make_conninfo(scratch_database(stack), password="wrong")  # noqa: S106 - it is no secret
    said = refused(dsn)
    assert "not migrated: the database server refuses the login" in said
    assert 'authentication failed for user "' in said
    assert "wrong" not in said


def test_a_password_that_is_missing_is_asked_for_at_once(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nonexistent")
    parts = conninfo_to_dict(scratch_database(stack))
    without = " ".join(f"{name}={value}" for name, value in parts.items() if name != "password")
    assert "not migrated: the database server asks for a password" in refused(without)


def test_a_login_that_may_not_come_in_is_refused_at_once(stack: Stack) -> None:
    dsn, all_databases = scratch_database(stack), stack.postgres.dsn("postgres")
    name = f"locked_out_{uuid.uuid4().hex[:12]}"
    query(all_databases, f"CREATE ROLE {name} NOLOGIN PASSWORD 'x'")
    try:
        said = refused(make_conninfo(dsn, user=name, password="x"))  # noqa: S106 - it is no secret
    finally:
        query(all_databases, f"DROP ROLE {name}")
    assert f'role "{name}" is not permitted to log in' in said
