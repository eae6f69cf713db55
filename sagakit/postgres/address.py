"""How a service connects to PostgreSQL: its address in any form that libpq takes, and the session settings it needs.

A database and a role may have settings of their own, and so may the caller's address. So what this code relies on, it
sets itself, by one query on each new connection. ``options`` in the startup packet would save that round trip, but a
pooler such as PgBouncer refuses them, and the caller's own options would be lost.
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
    # A connection whose server is gone is noticed within half a minute.
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Our defaults. The caller may set others, in the address or by libpq's variables."""
_TLS_FILES = ("sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir")
_SECURED = {"require", "verify-ca", "verify-full"}
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
    "idle_session_timeout": "0",  # connections are kept, and one that listens is silent while nothing changes
}
"""How values are written and read, and what a transaction sees."""

# Statements are planned once, whatever their values: planning takes longer than running. A plan that is made while a
# table is empty must still do when the table has grown, so each statement goes by an index.
# To the server a pipeline is never idle. So it is the whole transaction that has a time-out, for a client that has
# stopped. A server before 17 has no such time-out; it notices at least when the client's machine is gone.
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
    "row_security": "off",  # a row that a policy hides is an error, and not taken for missing
}
"""The session settings of a service's connections."""
LISTENING = {**_FORMS, "statement_timeout": "0", "lock_timeout": "0"}
"""Those of a connection that listens for notifications."""
MIGRATING = {
    **_FORMS,
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Those of a connection that migrates: a revision may take as long as it needs."""
_SINCE = {"transaction_timeout": 170_000}
"""The first version of the server that has a setting."""


class _WholeNumber(NumericLoader):
    """Reads a whole `numeric` as an ``int``: our numbers are whole, even if somebody has altered a column's type."""

    def load(self, data: Buffer) -> Decimal | int:  # type: ignore[override]
        read = super().load(data)
        return int(read) if read.is_finite() and read == read.to_integral_value() else read


class UnsupportedServer(Unavailable):
    """The server, or a pooler before it, cannot be used by this code. A process that starts says so, and ends."""


@dataclass(frozen=True)
class DatabaseAddress:
    """Where a database is and who logs in, in any form that libpq takes. The password is never shown."""

    conninfo: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "DatabaseAddress":
        """Read a URL or a string of keywords and values, one host or several.

        Raises:
            ValueError: libpq cannot read it, it names no database, a port is not a port, or TLS is half set.
        """
        conninfo = _ANY_DRIVER.sub("postgresql://", text.strip())
        try:
            given = conninfo_to_dict(conninfo)
        except psycopg.ProgrammingError as error:
            reason = _QUOTED.sub("…", " ".join(str(error).split()))  # it may quote the password
            raise ValueError(f"must be postgresql://user:password@host:port/database; libpq says: {reason}") from None
        if not (given.get("dbname") or given.get("service") or os.environ.keys() & {"PGDATABASE", "PGSERVICE"}):
            raise ValueError("must be postgresql://user:password@host:port/database; it names no database")
        _check_hosts(_several(given, "host") or _several(given, "hostaddr"), _several(given, "port"))
        _check_tls(given)
        return cls(conninfo)

    @property
    def database(self) -> str:
        """The database's name; empty where a file or a variable of libpq's names it."""
        return str(conninfo_to_dict(self.conninfo).get("dbname", ""))

    def connect(self, settings: Mapping[str, str]) -> "psycopg.Connection[Any]":
        """Connect, in autocommit mode, and apply ``settings`` to the session.

        Raises:
            psycopg.OperationalError: the server cannot be reached, or refuses the login.
            UnsupportedServer: it is too old, or its encoding is not UTF8.
        """
        connection = psycopg.connect(self.for_libpq(), autocommit=True)
        connection.adapters.register_loader("numeric", _WholeNumber)
        try:
            connection.execute(_apply(connection.info, settings))
        except BaseException:
            connection.close()
            raise
        return connection

    async def connect_async(self, settings: Mapping[str, str]) -> "psycopg.AsyncConnection[Any]":
        """Do as `connect` does, in the event loop."""
        connection = await psycopg.AsyncConnection.connect(self.for_libpq(), autocommit=True)
        try:
            await connection.execute(_apply(connection.info, settings))
        except BaseException:
            await connection.close()
            raise
        return connection

    def for_libpq(self, **other: str) -> str:
        """Return the address, with our defaults for what it leaves open, and with ``other`` parameters."""
        given = conninfo_to_dict(self.conninfo)
        ours = dict(_LIBPQ)
        if len(_several(given, "host") or _several(given, "hostaddr")) > 1:
            ours["target_session_attrs"] = "read-write"  # every service writes
        chosen = {name for name, variable in _VARIABLES.items() if variable in os.environ}
        ours = {name: value for name, value in ours.items() if name not in given.keys() | chosen}
        # It is set at the login, so that nothing comes in another encoding before.
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


def _check_tls(given: Mapping[str, object]) -> None:
    """Refuse files of TLS beside a mode in which libpq would go on in the clear where the server has no TLS."""
    files = [name for name in _TLS_FILES if given.get(name) and given[name] != "system"]  # that is a mode of its own
    if files and not (given.get("service") or "PGSERVICE" in os.environ):  # where its file may set the mode
        mode = given.get("sslmode") or os.environ.get("PGSSLMODE", "prefer")
        if mode not in _SECURED:
            raise ValueError(
                f"must have sslmode=verify-full, where it has {files[0]}; with {mode} it may go in the clear"
            )


def _apply(info: psycopg.ConnectionInfo, settings: Mapping[str, str]) -> bytes:
    """Return the query that applies ``settings`` to a new session; raises `UnsupportedServer`."""
    if info.server_version < _OLDEST:
        version = info.parameter_status("server_version")
        raise UnsupportedServer(
            f"the database server is PostgreSQL {version}, and it must be {_OLDEST // 10_000} or later"
        )
    encoding = info.parameter_status("server_encoding")
    if encoding not in {None, "UTF8"}:
        raise UnsupportedServer(f"the database {info.dbname} is encoded in {encoding}; make one with ENCODING 'UTF8'")
    known = {name: value for name, value in settings.items() if info.server_version >= _SINCE.get(name, 0)}
    calls = [f"set_config('{name}', '{value}', false)" for name, value in known.items()]
    return f"SELECT {', '.join(calls)}, {_DURABLE}".encode()


# What a caller was told is stored survives a crash of the server. Waiting for standbys is the operator's choice.
_DURABLE = (
    "CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END"
)
