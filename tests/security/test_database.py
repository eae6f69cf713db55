"""PostgreSQL is closed: TLS with its own name alone, and a service's role that can do nothing but read and write rows.

What the role may do is the same in an open stack: tests/integration/test_roles.py.
"""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import InsufficientPrivilege

from devstack.certificates import Authority
from devstack.services import NAMES
from devstack.stack import Stack
from tests.support.sql import query


def runtime_of(stack: Stack, service: str = "product_svc") -> str:
    return stack.postgres.runtime_dsn(stack.postgres.dsn(service))


@pytest.mark.parametrize("mode", ["disable", "allow"])
def test_nobody_gets_in_without_tls(closed_stack: Stack, mode: str) -> None:
    for address in (runtime_of(closed_stack), closed_stack.postgres.dsn("postgres")):
        bare = make_conninfo(address, sslmode=mode, sslrootcert="", gssencmode="disable")
        if mode == "disable":
            with pytest.raises(psycopg.OperationalError, match="no encryption"):
                psycopg.connect(bare)
        else:
            with psycopg.connect(bare) as connection:
                assert connection.pgconn.ssl_in_use


def test_every_connection_of_a_service_is_encrypted(closed_stack: Stack) -> None:
    asked = "SELECT DISTINCT ssl, usename FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE datname = %s"
    for name in NAMES:
        found = query(closed_stack.postgres.dsn("postgres"), asked, name)
        assert found == [(True, f"{name}_runtime")]


def test_the_server_of_another_authority_is_not_believed(closed_stack: Stack, tmp_path: Path) -> None:
    foreign = Authority(tmp_path)
    foreign.issue("postgres")
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(make_conninfo(runtime_of(closed_stack), sslrootcert=str(foreign.certificate)))


def test_a_server_of_another_name_is_not_believed(closed_stack: Stack) -> None:
    other = make_conninfo(runtime_of(closed_stack), host="elsewhere.example", hostaddr="127.0.0.1")
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(other)


def test_nobody_gets_in_without_the_password(closed_stack: Stack) -> None:
    for password in ("", "geheim", conninfo_to_dict(closed_stack.postgres.dsn("order_svc"))["password"]):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(make_conninfo(runtime_of(closed_stack), password=str(password), passfile="/nowhere"))


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "ALTER TABLE products ADD COLUMN mine int",
        "DROP TABLE products",
        "TRUNCATE products",
    ],
)
def test_a_service_changes_no_table(closed_stack: Stack, statement: str) -> None:
    connection: psycopg.Connection[Any]
    with psycopg.connect(runtime_of(closed_stack)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute(statement.encode())


@pytest.mark.parametrize("database", ["order_svc", "postgres", "template1"])
def test_a_service_gets_into_no_other_database(closed_stack: Stack, database: str) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not have CONNECT privilege"):
        psycopg.connect(make_conninfo(runtime_of(closed_stack), dbname=database))
