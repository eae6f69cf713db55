"""`make up` on a PostgreSQL that somebody else runs: ``DATABASE_URL`` is a login that may create databases."""

import uuid
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from devstack.layout import Layout
from devstack.postgres import Postgres
from devstack.stack import Stack
from devstack.state import State


def test_the_login_that_is_given_makes_the_databases_once_and_owns_them(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, database = (f"scratch_{uuid.uuid4().hex[:12]}" for _ in range(2))
    with psycopg.connect(stack.postgres.dsn("postgres"), autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {login} LOGIN CREATEDB PASSWORD 'theirs'".encode())
        admin.execute(f"GRANT CONNECT ON DATABASE postgres TO {login}".encode())  # others' servers let everybody
    given = make_conninfo(stack.postgres.dsn("postgres"), user=login, password="theirs", dbname="postgres")  # noqa: S106
    monkeypatch.setenv("DATABASE_URL", given)
    layout = replace(Layout.fresh(tmp_path), uses_environment=True)
    theirs = Postgres(layout, State(tmp_path / "state.json"))
    theirs.start()
    for _ in range(2):
        theirs.create_databases([database])
    with psycopg.connect(theirs.dsn(database)) as inside:
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        assert inside.execute(owner).fetchone() == (login,)
        inside.execute("CREATE TABLE theirs (id int)")
