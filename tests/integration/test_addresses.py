"""Connections: one of several hosts, whatever a database's or a role's own settings are, with the caller's options."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from os import environ

import psycopg
import pytest
from psycopg import sql

from devstack.ports import free_port
from devstack.services import NAMES
from sagakit.postgres.address import MIGRATING, SERVING, DatabaseAddress, UnsupportedServer
from sagakit.postgres.migrations import migrate
from sagakit.postgres.notifications import NotificationListener, notify
from sagakit.postgres.sql import array
from tests.support.debian import PASSWORD, Debian15
from tests.support.scratch import database_of

ODD = (
    "datestyle TO 'German, DMY'",
    "intervalstyle TO sql_standard",
    "timezone TO 'Asia/Kathmandu'",
    "bytea_output TO escape",
    "standard_conforming_strings TO off",
    "array_nulls TO off",
    "extra_float_digits TO -15",
    "client_encoding TO latin1",
    "default_transaction_isolation TO serializable",
    "synchronous_commit TO off",
    "statement_timeout TO '200ms'",
    "idle_session_timeout TO '1s'",
    "row_security TO off",
    "plan_cache_mode TO force_custom_plan",
)
"""Settings that a database or a role may have, each of which changes what a session reads, writes or bears."""


class Place:
    """A database of its own, and a login with a password that has to be encoded."""

    def __init__(self, server: Debian15) -> None:
        self.server, self.name = server, f"place_{uuid.uuid4().hex[:12]}"
        name = sql.Identifier(self.name)
        server.run(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(name, sql.Literal(PASSWORD)),
            sql.SQL("CREATE DATABASE {} OWNER {}").format(name, name),
        )

    def set(self, kind: str, settings: Sequence[str]) -> None:
        for setting in settings:
            self.server.run(sql.SQL(f"ALTER {kind} {{}} SET {setting}").format(sql.Identifier(self.name)))

    def url(self, hosts: str = "", query: str = "") -> str:
        return (
            f"postgresql://{self.name}:s3cret%2F%40%C3%9F@{hosts or f'127.0.0.1:{self.server.port}'}/{self.name}{query}"
        )

    def rows(self, query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(self.server.dsn(self.name)) as connection:
            return connection.execute(query.encode()).fetchall()


@pytest.fixture
def place(debian: Debian15) -> Place:
    return Place(debian)


def address(text: str) -> DatabaseAddress:
    return DatabaseAddress.parse(text)


def round_trip(url: str) -> None:
    """Write and read back what the settings of a session might spoil."""
    now = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    database = database_of(url)
    with database.transaction() as tx:
        (row,) = tx.execute(
            """SELECT %(now)s::timestamptz AS time, %(age)s::interval = interval '26 hours' AS age,
                      %(bytes)s::bytea AS bytes, %(texts)s::text[] AS texts, E'a\\nb' AS line, 'a\\b' AS backslash,
                      %(float)s::float8 AS float, 'ß€'::text AS text, current_setting('transaction_isolation') AS sees,
                      current_setting('synchronous_commit') AS durable, pg_sleep(0.3)""",
            {
                "now": now,
                "age": timedelta(hours=26),
                "bytes": b"\x00\\\xff",
                "texts": array(["a", None, "ß"]),
                "float": 0.1 + 0.2,
            },
        ).fetchall()
    database.close()
    assert row.time == now
    assert row.age
    assert row.bytes == b"\x00\\\xff"
    assert row.texts == ["a", None, "ß"]
    assert (row.line, row.backslash, row.text) == ("a\nb", "a\\b", "ß€")
    assert row.float == 0.1 + 0.2
    assert (row.sees, row.durable) == ("read committed", "on")


@pytest.mark.parametrize("kind", ["DATABASE", "ROLE"])
def test_what_a_database_or_a_role_has_set_changes_nothing(place: Place, kind: str) -> None:
    place.set(kind, ODD)
    migrate("order_svc", address(place.url()))
    round_trip(place.url())


@pytest.mark.parametrize("variable", ["", "-cdatestyle=German -cbytea_output=escape"])
def test_what_an_address_or_a_variable_has_set_changes_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv("PGOPTIONS", variable)
    monkeypatch.setenv("PGDATESTYLE", "SQL, DMY")
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    round_trip(place.url(query="?client_encoding=latin1&options=-cintervalstyle%3Diso_8601"))


def test_a_wait_for_standbys_stays_the_operators_choice(place: Place) -> None:
    place.set("ROLE", ["synchronous_commit TO remote_apply"])
    with address(place.url()).connect(SERVING) as connection:
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("remote_apply",)


@pytest.mark.parametrize("service", NAMES)
def test_tables_are_made_and_found_where_the_callers_options_say(place: Place, service: str) -> None:
    with psycopg.connect(place.url()) as owner:
        owner.execute("CREATE SCHEMA app")
    url = place.url(query="?options=-csearch_path%3Dapp")
    for _ in range(2):
        migrate(service, address(url))
    assert {
        schema for (schema,) in place.rows("SELECT DISTINCT schemaname FROM pg_tables WHERE tablename = 'installation'")
    } == {"app"}
    database = database_of(url)
    with database.transaction() as tx:
        assert tx.execute("SELECT count(*) FROM installation").fetchall()[0][0] == 1
    database.close()


def test_the_callers_options_may_come_by_a_variable(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(place.url()) as owner:
        owner.execute("CREATE SCHEMA app")
    monkeypatch.setenv("PGOPTIONS", "-csearch_path=app -cwork_mem=5MB")
    migrate("product_svc", address(place.url()))
    with address(place.url()).connect(SERVING) as connection:
        assert connection.execute("SELECT count(*) FROM app.products").fetchone() == (3,)
        assert connection.execute("SHOW work_mem").fetchone() == ("5MB",)


@pytest.mark.parametrize("form", ["url", "query", "keywords", "socket"])
def test_whichever_host_of_several_answers_is_used(place: Place, form: str) -> None:
    nobody, port = free_port(), place.server.port
    login = f"dbname={place.name} user={place.name} password={PASSWORD}"
    given = {
        "url": place.url(f"127.0.0.1:{nobody},127.0.0.1:{port}", "?target_session_attrs=read-write"),
        "query": place.url(" ", f"?host=127.0.0.1,127.0.0.1&port={nobody},{port}").replace(" ", ""),
        "keywords": f"host=127.0.0.1,127.0.0.1 port={nobody},{port} {login}",
        "socket": place.url(" ", f"?host={place.server.sockets}&port={port}").replace(" ", ""),
    }[form]
    migrate("delivery_svc", address(given))
    round_trip(given)


async def test_the_notification_listener_connects_in_the_same_way(place: Place) -> None:
    place.set("DATABASE", ODD)
    url = place.url(f"127.0.0.1:{free_port()},127.0.0.1:{place.server.port}", "?options=-csearch_path%3Dapp")
    listener = NotificationListener(address(url), "changes")
    database = database_of(url)
    running = asyncio.create_task(listener.run())
    with listener.follow() as follower:
        assert await follower.next(within_seconds=10) is None
        await database.run(lambda tx: notify(tx, "changes", [4711]))
        assert await follower.next(within_seconds=10) == {4711: ""}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    database.close()


def test_of_several_hosts_the_one_is_used_that_lets_us_write(debian: Debian15, place: Place) -> None:
    place.set("DATABASE", ["default_transaction_read_only TO on"])
    url = place.url(f"127.0.0.1:{debian.port},localhost:{debian.port}")
    with pytest.raises(psycopg.OperationalError, match="read-only"):
        address(url).connect(SERVING)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused_by_name(debian: Debian15, encoding: str) -> None:
    name = f"place_{encoding.lower()}"
    debian.run(
        sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)),
        sql.SQL("CREATE DATABASE {} ENCODING {} LOCALE 'C' TEMPLATE template0").format(
            sql.Identifier(name), sql.Literal(encoding)
        ),
    )
    for kind in (SERVING, MIGRATING):
        with pytest.raises(UnsupportedServer, match=encoding):
            address(debian.dsn(name)).connect(kind)
    done = migrate_by_command(debian.dsn(name))
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert encoding in done.stderr


@pytest.mark.parametrize("problem", ["permission denied", "read-only"])
def test_whatever_a_migration_is_refused_is_reported_in_a_line(place: Place, problem: str) -> None:
    if problem == "read-only":
        place.set("DATABASE", ["default_transaction_read_only TO on"])
    else:
        place.server.run(sql.SQL("ALTER DATABASE {} OWNER TO postgres").format(sql.Identifier(place.name)))
    done = migrate_by_command(place.url())
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("{")]
    assert problem in line
    assert "s3cret" not in done.stderr + done.stdout


def test_a_server_that_is_too_old_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sagakit.postgres.address._OLDEST", 160_000)  # as if 15 were not enough
    with pytest.raises(UnsupportedServer, match=r"PostgreSQL 15\.\d+.*must be 16 or later"):
        address(place.url()).connect(SERVING)
    with pytest.raises(UnsupportedServer):
        migrate("order_svc", address(place.url()))


def migrate_by_command(url: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "order_svc", "migrate"],
        env={**environ, "DATABASE_URL": url}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
