"""How a service connects to PostgreSQL: its address in any form that libpq takes, and the session settings it needs.

A database and a role may have settings of their own, and so may the caller's address: what this code relies on in a
session it sets itself, by one query on each new connection. A startup packet's ``options`` would do so without a round
trip, but a pooler such as PgBouncer refuses them, and the caller's own would be lost.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.numeric import NumericLoader

from sagakit.errors import Unavailable

_OLDEST = 150_000
_HIGHEST_PORT = 65_535
_ANY_DRIVER = re.compile(r"^postgres(ql)?\+\w+://")
_QUOTED = re.compile(r'".*"')

_LIBPQ = {
    "connect_timeout": "5",
    # To notice within half a minute that it talks to nobody.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""What the caller may say otherwise, in the address or by libpq's variables."""
_VARIABLES = {"connect_timeout": "PGCONNECT_TIMEOUT", "target_session_attrs": "PGTARGETSESSIONATTRS"}

_FORMS = {
    "timezone": "UTC",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    "default_transaction_isolation": "read committed",
    "idle_session_timeout": "0",  # connections are kept, and the change feed's says nothing while nothing changes
}
"""How values are written and read, and what a transaction sees."""

# Statements are planned once, whatever their values: to plan one anew takes longer than to run it. A plan that is made
# while a table is empty must do as it grows, so each statement goes by an index.
# To the server a pipeline is never idle: it is the transaction as a whole that ends, when its client has stopped. Where
# that has no time-out yet, the server at least notices that a client's machine is gone.
SERVING = {
    **_FORMS,
    "statement_timeout": "30000",
    "lock_timeout": "10000",
    "transaction_timeout": "60000",
    "idle_in_transaction_session_timeout": "60000",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "row_security": "off",  # rows that a policy would hide are an error, not rows that do not exist
}
"""The session settings of a service's connections."""
LISTENING = {**_FORMS, "statement_timeout": "0", "lock_timeout": "0"}
"""Those of a connection that waits for notifications."""
MIGRATING = {
    **_FORMS,
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Those of a connection that migrates: a revision takes the time that it takes."""
_SINCE = {"transaction_timeout": 170_000}
"""From which version on a server knows a setting."""


class _WholeNumber(NumericLoader):
    """Reads a whole `numeric` as an ``int``: our numbers are whole, whatever type somebody has altered a column to."""

    def load(self, data: Buffer) -> Decimal | int:  # type: ignore[override]
        read = super().load(data)
        return int(read) if read.is_finite() and read == read.to_integral_value() else read


class UnsupportedServer(Unavailable):
    """The database server, or what stands before it, cannot be worked with. At a start that is said, and ends it."""


@dataclass(frozen=True)
class DatabaseAddress:
    """Where a database is and who logs in: whatever libpq takes. Its password is never shown."""

    conninfo: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "DatabaseAddress":
        """Read a URL or a string of keywords and values, one host or several.

        Raises:
            ValueError: libpq cannot read it, it names no database, or a port is none.
        """
        conninfo = _ANY_DRIVER.sub("postgresql://", text.strip())
        try:
            given = conninfo_to_dict(conninfo)
        except psycopg.ProgrammingError as error:
            reason = _QUOTED.sub("…", " ".join(str(error).split()))  # what it quotes may be the password's
            raise ValueError(f"must be postgresql://user:password@host:port/database; libpq says: {reason}") from None
        if not (given.get("dbname") or given.get("service") or os.environ.keys() & {"PGDATABASE", "PGSERVICE"}):
            raise ValueError("must be postgresql://user:password@host:port/database; it names no database")
        _check_hosts(_several(given, "host") or _several(given, "hostaddr"), _several(given, "port"))
        return cls(conninfo)

    @property
    def database(self) -> str:
        """The database's name; empty where a file or a variable of libpq's names it."""
        return str(conninfo_to_dict(self.conninfo).get("dbname", ""))

    def connect(self, settings: Mapping[str, str]) -> "psycopg.Connection[Any]":
        """Connect, in autocommit mode, and have the session go by ``settings``.

        Raises:
            psycopg.OperationalError: it cannot be reached, or lets nobody in.
            UnsupportedServer: it is too old, or its encoding is not UTF8.
        """
        connection = psycopg.connect(self.whole(), autocommit=True)
        connection.adapters.register_loader("numeric", _WholeNumber)
        try:
            connection.execute(_settle(connection.info, settings))
        except BaseException:
            connection.close()
            raise
        return connection

    async def connect_async(self, settings: Mapping[str, str]) -> "psycopg.AsyncConnection[Any]":
        """Do as `connect` does, in the event loop."""
        connection = await psycopg.AsyncConnection.connect(self.whole(), autocommit=True)
        try:
            await connection.execute(_settle(connection.info, settings))
        except BaseException:
            await connection.close()
            raise
        return connection

    def whole(self, **other: str) -> str:
        """Return what libpq is given: the address, our defaults for what it leaves open, and ``other`` parameters."""
        given = conninfo_to_dict(self.conninfo)
        ours = dict(_LIBPQ)
        if len(_several(given, "host") or _several(given, "hostaddr")) > 1:
            ours["target_session_attrs"] = "read-write"  # every service writes
        chosen = {name for name, variable in _VARIABLES.items() if variable in os.environ}
        ours = {name: value for name, value in ours.items() if name not in given.keys() | chosen}
        # Said at the login, so that there is nothing to be read in another encoding before.
        return make_conninfo(self.conninfo, **{**ours, "client_encoding": "UTF8", **other})


def _several(given: Mapping[str, object], name: str) -> list[str]:
    return str(given[name]).split(",") if given.get(name) else []


def _check_hosts(hosts: list[str], ports: list[str]) -> None:
    if any("@" in host for host in hosts):
        raise ValueError("must have an @ of its password written as %40")
    for port in filter(None, ports):
        if not (port.isascii() and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
            raise ValueError(f"must have a port of 1 to {_HIGHEST_PORT}, and a / of its password written as %2F")
    if len(ports) > 1 and len(ports) != len(hosts):
        raise ValueError(f"must have one port, or one for each host; it has {len(ports)} for {len(hosts)}")


def _settle(info: psycopg.ConnectionInfo, settings: Mapping[str, str]) -> bytes:
    """Return the query that has a new session go by ``settings``, where its server can be worked with at all."""
    if info.server_version < _OLDEST:
        told = info.parameter_status("server_version")
        raise UnsupportedServer(
            f"the database server is PostgreSQL {told}, and it must be {_OLDEST // 10_000} or later"
        )
    encoding = info.parameter_status("server_encoding")
    if encoding not in {None, "UTF8"}:
        raise UnsupportedServer(f"the database {info.dbname} is encoded in {encoding}; make one with ENCODING 'UTF8'")
    known = {name: value for name, value in settings.items() if info.server_version >= _SINCE.get(name, 0)}
    calls = [f"set_config('{name}', '{value}', false)" for name, value in known.items()]
    return f"SELECT {', '.join(calls)}, {_DURABLE}".encode()


# What was answered must survive a crash of the server; whether to wait for standbys as well is the operator's choice.
_DURABLE = (
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"
)
