"""The role that a service logs in as reads and writes rows, and can do nothing else on the server."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege

from devstack.services import NAMES
from devstack.stack import Stack
from sagakit.postgres import migrations
from sagakit.postgres.address import UnsupportedServer
from sagakit.postgres.migrations import migrate
from tests.support.migrating import migrating, url_of
from tests.support.scratch import scratch_database
from tests.support.sql import query

SERVICE = "order_svc"


def runtime_of(stack: Stack, service: str = SERVICE) -> str:
    """Return the address that a service runs on."""
    database = stack.databases[service]
    return database.runtime_dsn(database.dsn(service))


@pytest.fixture
def runtime(stack: Stack) -> Iterator["psycopg.Connection[Any]"]:
    with psycopg.connect(runtime_of(stack), autocommit=True) as connection:
        yield connection


def test_the_service_is_connected_as_its_runtime_role_and_as_nobody_else(stack: Stack) -> None:
    asked = "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    for name in NAMES:
        assert query(stack.postgres.dsn("postgres"), asked, name) == [(f"{name}_runtime",)]


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE TEMPORARY TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE orders ADD COLUMN mine int",
        "ALTER TABLE orders DISABLE TRIGGER ALL",
        "CREATE INDEX ON orders (quantity)",
        "DROP TABLE outbox",
        "TRUNCATE outbox",
        "UPDATE alembic_version SET version_num = '0001'",
        "DELETE FROM alembic_version",
        "ALTER DATABASE order_svc SET default_transaction_read_only = on",
        "CREATE ROLE mine LOGIN",
        "SET ROLE order_svc",
        "SET ROLE postgres",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT rolpassword FROM pg_authid",
    ],
)
def test_the_runtime_role_is_refused(runtime: "psycopg.Connection[Any]", statement: str) -> None:
    with pytest.raises(InsufficientPrivilege):
        runtime.execute(statement.encode())


def test_the_runtime_role_reads_which_revision_the_database_has(runtime: "psycopg.Connection[Any]") -> None:
    assert runtime.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


@pytest.mark.parametrize("database", ["product_svc", "orchestrator_svc", "postgres", "template1"])
def test_no_other_database_lets_the_runtime_role_in(stack: Stack, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not have CONNECT privilege"):
        psycopg.connect(make_conninfo(runtime_of(stack), dbname=database))


def test_no_owner_gets_into_another_service_s_database(stack: Stack) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not have CONNECT privilege"):
        psycopg.connect(make_conninfo(stack.postgres.dsn("product_svc"), dbname=SERVICE))


def test_no_two_logins_share_a_password(stack: Stack) -> None:
    addresses = [stack.postgres.dsn("postgres"), *map(stack.postgres.dsn, NAMES)]
    addresses += [runtime_of(stack, name) for name in NAMES]
    passwords = [conninfo_to_dict(one)["password"] for one in addresses]
    assert len(set(passwords)) == 2 * len(NAMES) + 1


def test_a_service_has_a_bounded_number_of_sessions(stack: Stack) -> None:
    limits = query(
        stack.postgres.dsn("postgres"),
        "SELECT DISTINCT rolconnlimit FROM pg_roles WHERE right(rolname, 8) = '_runtime'",
    )
    assert limits == [(40,)]


@pytest.fixture
def database(stack: Stack) -> Iterator[str]:
    """Make an empty database, and on its server a role, ``lodger``, that may do nothing yet."""
    admin, dsn = stack.postgres.dsn("postgres"), scratch_database(stack)
    query(admin, "CREATE ROLE lodger")
    yield dsn
    query(make_conninfo(admin, dbname=str(conninfo_to_dict(dsn)["dbname"])), "DROP OWNED BY lodger")
    query(admin, "DROP ROLE lodger")


def test_what_was_granted_too_much_is_taken_away_by_the_next_migration(database: str) -> None:
    dsn = database
    query(dsn, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    query(dsn, "GRANT ALL ON alembic_version TO lodger")
    migrate("product_svc", url_of(dsn), "lodger")
    migrate("product_svc", url_of(dsn), "lodger")
    may = "SELECT has_table_privilege('lodger', 'alembic_version', %s), has_table_privilege('lodger', 'products', %s)"
    assert query(dsn, may, "INSERT", "INSERT") == [(False, True)]
    assert query(dsn, may, "TRUNCATE", "TRUNCATE") == [(False, False)]
    assert query(dsn, may, "SELECT", "SELECT") == [(True, True)]


def test_what_is_granted_lets_nobody_else_in(database: str) -> None:
    connect = "has_database_privilege('public', current_database(), 'CONNECT')"
    may = f"SELECT {connect}, has_schema_privilege('public', current_schema(), 'USAGE')"
    assert query(database, may) == [(True, True)]
    migrate("product_svc", url_of(database), "lodger")
    assert query(database, may) == [(False, False)]


def test_the_owner_is_no_runtime_role(stack: Stack) -> None:
    dsn = scratch_database(stack)
    owner = str(conninfo_to_dict(dsn)["user"])
    with pytest.raises(UnsupportedServer, match="must be a role of its own"):
        migrate("product_svc", url_of(dsn), owner)


def test_a_runtime_role_that_holds_up_a_migration_is_named(stack: Stack, runtime: "psycopg.Connection[Any]") -> None:
    runtime.execute("SELECT pg_advisory_lock(%s)", [migrations._LOCK])  # noqa: SLF001 - it is what an attacker knows
    with migrating(SERVICE, stack.postgres.dsn(SERVICE)) as process:
        assert process.stdout
        line = next(line for line in process.stdout if "waiting" in line)
        runtime.execute("SELECT pg_advisory_unlock_all()")
        assert process.wait(timeout=30) == 0
    assert f"{SERVICE}_runtime" in line
