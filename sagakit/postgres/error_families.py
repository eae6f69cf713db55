"""The family of every error that PostgreSQL raises, and of those that psycopg and SQLAlchemy raise themselves.

A code that is not listed counts as its class does. Source:
https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

import psycopg
from sqlalchemy.exc import DBAPIError

from sagakit.families import Family, family_of, met_a_lock

_SQLSTATES: dict[str, tuple[Family, str]] = {
    "02": (Family.OURS, "000 001"),
    "03": (Family.OURS, "000"),
    "08": (Family.PASSING, "000 001 003 004 006 007 P01"),  # connection; poolers use 08P01 for many errors
    "09": (Family.OURS, "000"),
    "0A": (Family.STALE, "000"),  # a cached plan whose result type has changed; nothing else that we do is unsupported
    "0B": (Family.OURS, "000"),
    "0F": (Family.OURS, "000 001"),
    "0L": (Family.OURS, "000 P01"),
    "0P": (Family.PASSING, "000"),  # a role that is yet to be made
    "0Z": (Family.OURS, "000 002"),
    "10": (Family.DATA, "608"),
    "20": (Family.OURS, "000"),
    "21": (Family.OURS, "000"),
    "22": (
        Family.DATA,
        """
        000 001 002 003 004 005 007 008 009 00B 00C 00D 00F 00G 00H 00L 00M 00N 00S 00T 010 011 012 013 014 015 016 018
        019 01B 01E 01F 01G 01W 01X 021 022 023 024 025 026 027 02E 02G 02H 030 031 032 033 034 035 036 037 038 039 03A
        03B 03C 03D 03E 03F 03G P01 P02 P03 P04 P05 P06
        """,
    ),
    "23": (Family.DATA, "000 001 502 503 505 514 P01"),  # constraints
    "24": (Family.OURS, "000"),
    "25": (Family.OURS, "000 001 002 003 004 005 006 007 008 P01 P02 P03 P04"),
    "26": (Family.STALE, "000"),  # a prepared statement that the server has forgotten: DISCARD ALL, or a pooler
    "27": (Family.OURS, "000"),
    "28": (Family.PASSING, "000 P01"),  # a password or pg_hba.conf that is being changed
    "2B": (Family.OURS, "000 P01"),
    "2D": (Family.OURS, "000"),
    "2F": (Family.OURS, "000 002 003 004 005"),
    "34": (Family.STALE, "000"),  # a portal of a connection that is another one now
    "38": (Family.OURS, "000 001 002 003 004"),
    "39": (Family.OURS, "000 001 004 P01 P02 P03"),
    "3B": (Family.OURS, "000 001"),
    "3D": (Family.PASSING, "000"),  # a database that is yet to be made
    "3F": (Family.PASSING, "000"),  # a schema that is yet to be made
    "40": (Family.PASSING, "000 001 002 003 P01"),  # serialization, deadlock, a conflict with recovery
    "42": (
        Family.OURS,
        """
        000 501 601 602 611 622 701 702 703 704 710 712 723 725 803 804 809 830 846 883 8C9 939
        P01 P02 P03 P04 P05 P06 P07 P08 P09 P10 P11 P12 P13 P14 P15 P16 P17 P18 P19 P20 P21 P22
        """,
    ),
    "44": (Family.DATA, "000"),
    "53": (Family.PASSING, "000 100 200 300 400"),  # out of resources, a full disk
    "54": (Family.DATA, "000 001 011 023"),  # too large, or nested too deeply
    "55": (Family.PASSING, "000 006 P02 P03 P04"),  # in use, locked
    "57": (Family.PASSING, "000 014 P01 P02 P03 P04 P05"),  # an operator, a time-out, a server that starts or stops
    "58": (Family.PASSING, "000 030 P01 P02 P03"),  # the server's disk
    "72": (Family.PASSING, "000"),
    "F0": (Family.PASSING, "000 001"),  # the server's configuration
    "HV": (
        Family.PASSING,  # another server behind a foreign table
        "000 001 002 004 005 006 007 008 009 00A 00B 00C 00D 00J 00K 00L 00M 00N 00P 00Q 00R 010 014 021 024 090 091",
    ),
    "P0": (Family.OURS, "000 001 002 003 004"),  # a trigger that somebody has added
    "XX": (Family.PASSING, "000 001 002"),  # damaged files, until a restore
}
"""By SQLSTATE: each class with its family and the rest of its codes."""

_SQLSTATE_EXCEPTIONS: dict[str, Family] = {
    "2200H": Family.PASSING,  # a sequence that is used up
    "23502": Family.OURS,  # somebody has added a column that this version does not fill
    "25006": Family.PASSING,  # read-only: a standby, or a disk that is nearly full
    "25P02": Family.STALE,  # a connection in another state than we believe
    "25P03": Family.PASSING,  # idle for too long in a transaction
    "25P04": Family.PASSING,  # the transaction took too long
    "42501": Family.PASSING,  # a privilege that somebody is about to grant
    "42703": Family.PASSING,  # what a migration is about to bring: a column,
    "42704": Family.PASSING,  # … a type,
    "42804": Family.PASSING,  # … another type of a column,
    "42809": Family.PASSING,  # … a table that is no view any more,
    "42883": Family.PASSING,  # … a function,
    "428C9": Family.PASSING,  # … a column that is not generated any more,
    "42P01": Family.PASSING,  # … a table,
    "42P10": Family.PASSING,  # … the index that ON CONFLICT goes by
    "42P05": Family.STALE,  # somebody else has prepared a statement of this name on our connection
    "54011": Family.OURS,  # too many columns, which no value brings about
    "54023": Family.OURS,  # too many arguments; the same
    "57P01": Family.STALE,  # the connection was ended before its transaction was committed: see `.pipeline`
    "57P05": Family.STALE,  # it was idle for too long
    "XX000": Family.STALE,  # PostgreSQL has no code for some errors of a table that is being changed
}

_SQLSTATE_ORIGINS: dict[tuple[str, str], Family] = {
    ("54000", "GetNewTransactionId"): Family.PASSING,  # ids are used up: nothing is written until a vacuum
    ("54000", "GetNewMultiXactId"): Family.PASSING,
}
"""Codes that stand for more than one thing, by the function of the server that raised them, which no locale changes."""

_LOCKS = {"55P03", "57014"}
"""Passing errors, beside those of class 40, after which a transaction is surely rolled back: a row that it wanted was
locked for longer than a lock or a statement is waited for, or an operator ended its statement."""
_UNKNOWN_END = "40003"
"""The one code of class 40 after which a transaction may be committed."""

SQLSTATES = {
    prefix + rest: _SQLSTATE_EXCEPTIONS.get(prefix + rest, family)
    for prefix, (family, codes) in _SQLSTATES.items()
    for rest in codes.split()
}
"""The family of each SQLSTATE."""


@family_of.register(psycopg.Error)
def _(error: psycopg.Error) -> Family:
    if code := error.sqlstate or error.diag.sqlstate:
        return _of_sqlstate(code, error.diag.source_function or "")
    # Without an SQLSTATE psycopg itself has found it: a lost connection, or a value that it cannot tell the server.
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return Family.PASSING
    return Family.DATA if isinstance(error, psycopg.DataError) else Family.OURS


@family_of.register(DBAPIError)
def _(error: DBAPIError) -> Family:
    return family_of(error.orig) if isinstance(error.orig, psycopg.Error) else Family.OURS


@met_a_lock.register(psycopg.Error)
def _(error: psycopg.Error) -> bool:
    code = error.sqlstate or error.diag.sqlstate
    return code in _LOCKS or (code is not None and code.startswith("40") and code != _UNKNOWN_END)


def _of_sqlstate(code: str, raised_by: str) -> Family:
    family, _ = _SQLSTATES.get(code[:2], (Family.OURS, ""))
    return _SQLSTATE_ORIGINS.get((code, raised_by)) or _SQLSTATE_EXCEPTIONS.get(code) or family
