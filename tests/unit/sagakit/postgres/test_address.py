"""Addresses of databases: every form that libpq takes, and one line without a password for every other."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from sagakit.postgres.address import DatabaseAddress


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGDATABASE", "PGSERVICE", "PGCONNECT_TIMEOUT", "PGTARGETSESSIONATTRS", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("postgresql://u:p@h:5432/db", {"user": "u", "password": "p", "host": "h", "port": "5432", "dbname": "db"}),
        ("postgres://u@h/db", {"user": "u", "host": "h", "dbname": "db"}),
        ("postgresql+psycopg://u@h/db", {"user": "u", "host": "h", "dbname": "db"}),
        ("postgresql://u@h1:5432,h2:5433/db", {"host": "h1,h2", "port": "5432,5433", "dbname": "db"}),
        ("postgresql://u@h1,h2:5433/db", {"host": "h1,h2", "port": ",5433"}),
        ("postgresql://h1,h2/db?port=5433", {"host": "h1,h2", "port": "5433"}),
        ("postgresql:///db?host=h1,h2&port=1,2", {"host": "h1,h2", "port": "1,2", "dbname": "db"}),
        ("postgresql:///db?host=/var/run/postgresql", {"host": "/var/run/postgresql", "dbname": "db"}),
        ("postgresql://%2Fvar%2Frun/db", {"host": "/var/run", "dbname": "db"}),
        ("postgresql://u@[::1]:5432,[fe80::1]:5433/db", {"host": "::1,fe80::1", "port": "5432,5433"}),
        ("postgresql://u:p%40%2F%3A%25@h/db", {"password": "p@/:%", "host": "h"}),
        ("postgresql://h/db?options=-csearch_path%3Dapp", {"options": "-csearch_path=app"}),
        ("postgresql://h/db?target_session_attrs=primary", {"target_session_attrs": "primary"}),
        ("host=h1,h2 port=1,2 dbname=db user=u password='p w'", {"host": "h1,h2", "password": "p w", "dbname": "db"}),
        ("postgresql://?service=orders", {"service": "orders"}),
        ("postgresql://h/db?sslmode=verify-full&sslrootcert=ca.crt", {"sslmode": "verify-full"}),
        ("postgresql://h/db?sslmode=require&sslcert=tls.crt&sslkey=tls.key", {"sslcert": "tls.crt"}),
        ("postgresql://h/db?sslrootcert=system", {"sslrootcert": "system"}),
        ("postgresql://?service=orders&sslrootcert=ca.crt", {"sslrootcert": "ca.crt"}),
    ],
)
def test_what_libpq_takes_is_taken_as_it_is(text: str, parts: dict[str, str]) -> None:
    read = conninfo_to_dict(DatabaseAddress.parse(text).conninfo)
    assert {name: read.get(name) for name in parts} == parts


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("mysql://u:geheim@h/db", "must be postgresql://"),
        ("postgresql://h", "names no database"),
        ("postgresql://u:geheim@h:geheim/db", "port"),
        ("postgresql://u:geheim@h:70000/db", "port"),
        ("postgresql://u:geheim@h:0/db", "port"),
        ("postgresql://h1:1,h2:2,h3/db?port=1,2", "2 for 3"),
        ("postgresql://u:ge/heim@h/db", "%2F"),
        ("postgresql://u:ge@heim@h/db", "%40"),
        ("postgresql://u:geheim%zz@h/db", "percent-encoded"),
        ("postgresql://u:geheim@h/db?sslmod=require", "query parameter"),
        ("postgresql://u:geheim@h/db?sslrootcert=ca.crt", "must have sslmode=verify-full, where it has sslrootcert"),
        (
            "postgresql://u:geheim@h/db?sslmode=prefer&sslcert=tls.crt&sslkey=tls.key",
            "where it has sslcert; with prefer",
        ),
        ("postgresql://u:geheim@h/db?sslmode=disable&sslkey=tls.key", "where it has sslkey; with disable"),
        ("host=h password=ge heim", "missing"),
        ("postgresql://u:geheim@[::1/db", "end of string"),
        ('host=h password="ge"heim" dbname', "missing"),
    ],
)
def test_what_libpq_does_not_take_is_reported_in_a_line_without_the_password(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"^must ") as caught:
        DatabaseAddress.parse(text)
    assert problem in str(caught.value)
    assert "heim" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_variable_of_libpqs_may_set_the_mode_of_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "postgresql://h/db?sslrootcert=ca.crt"
    monkeypatch.setenv("PGSSLMODE", "allow")
    with pytest.raises(ValueError, match="with allow it may go in the clear"):
        DatabaseAddress.parse(address)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    assert DatabaseAddress.parse(address).conninfo == address


def test_an_address_shows_no_password() -> None:
    assert "geheim" not in repr(DatabaseAddress.parse("postgresql://u:geheim@h/db"))


def test_a_variable_of_libpqs_may_name_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATABASE", "db")
    assert DatabaseAddress.parse("postgresql://u@h").database == ""
