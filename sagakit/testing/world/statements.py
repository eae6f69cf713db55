"""What the kit's own statements do, done to tables in memory: stored offsets and the outbox.

The services' statements are longer, and stand behind functions, which `stores` has in memory.
`tests/integration/test_memory_database.py` shows of both databases what is done here.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from types import SimpleNamespace as Row
from typing import Any, NamedTuple, Protocol

import psycopg


class Counts(Protocol):
    """What a database keeps beside its tables."""

    timeline: int
    sequences: dict[str, int]


class Tables(Protocol):
    """The transaction that a statement is executed in, as the statement sees it."""

    now: datetime

    @property
    def database(self) -> Counts:
        """The database that it changes."""

    def read(self, table: str) -> Mapping[Any, Any]:
        """Return a table as this transaction sees it."""

    def write(self, table: str) -> dict[Any, Any]:
        """Return a table to be changed."""

    def claim(self, table: str, key: object) -> bool:
        """Lock a row; say whether nobody else has."""


Parameters = Mapping[str, Any]
Statement = Callable[[Tables, Parameters], Sequence[Any]]


class Waiting(NamedTuple):
    """A row of the outbox."""

    outbox_id: int
    topic: str
    key: bytes
    value: bytes
    headers: str
    create_time: datetime


class HasLess(psycopg.errors.NotNullViolation):
    """The table refuses what stands for an offset where it has less than it had."""

    diag: Any = Row(table_name="consumed_offsets", sqlstate="23502", source_function="")


def _store_offsets(tx: Tables, given: Parameters) -> Sequence[Any]:
    offsets = tx.write("consumed_offsets")
    columns = (_values(given[name].replace("NULL", "null")) for name in ("topics", "partitions", "offsets", "known"))
    for topic, partition, offset, known in zip(*columns, strict=True):
        has = offsets.get((topic, partition), -1)
        if known is not None and has < known:
            raise HasLess
        offsets[topic, partition] = max(offset, has) if known is not None and has > known else offset
    return []


def _read_offsets(tx: Tables, _: Parameters) -> Sequence[Any]:
    stored = tx.read("consumed_offsets")
    return [Row(topic=topic, partition=number, next_offset=stored[topic, number]) for topic, number in stored]


def _add_to_outbox(tx: Tables, given: Parameters) -> Sequence[Any]:
    outbox, sequences = tx.write("outbox"), tx.database.sequences
    added = []
    columns = (_values(given[name]) for name in ("topic", "key", "value", "headers"))
    for topic, key, value, headers in zip(*columns, strict=True):
        number = sequences["outbox"] = sequences.get("outbox", 0) + 1
        outbox[number] = Waiting(number, topic, _bytes(key), _bytes(value), headers, tx.now)
        added.append(Row(outbox_id=number))
    return added


def _remove(tx: Tables, given: Parameters) -> Sequence[Any]:
    for number in _values(given["ids"]):
        tx.write("outbox").pop(number, None)
    return []


def _remove_unclaimed(tx: Tables, given: Parameters) -> Sequence[Any]:
    for number in _values(given["ids"]):
        if tx.claim("outbox", number):
            tx.write("outbox").pop(number, None)
    return []


def _claim(tx: Tables, given: Parameters) -> Sequence[Any]:
    old, set_aside = tx.now - timedelta(seconds=given["age"]), _values(given["set_aside"])
    due = [
        row for number, row in sorted(tx.read("outbox").items()) if row.create_time < old and number not in set_aside
    ]
    return list(islice((row for row in due if tx.claim("outbox", row.outbox_id)), given["limit"]))


def _count(tx: Tables, given: Parameters) -> Sequence[Any]:
    return [Row(count=min(len(tx.read("outbox")), given["most"]))]


def _oldest(tx: Tables, _: Parameters) -> Sequence[Any]:
    rows = sorted(tx.read("outbox").items())[:1]
    return [Row(age=(tx.now - row.create_time).total_seconds()) for _, row in rows]


def _timeline(tx: Tables, _: Parameters) -> Sequence[Any]:
    return [Row(line=str(tx.database.timeline), tables=None, position=0)]


def _nothing(_: Tables, __: Parameters) -> Sequence[Any]:
    return []


class Statements:
    """The statements, by how they begin."""

    _KNOWN: Mapping[str, Statement] = {
        "INSERT INTO consumed_offsets": _store_offsets,
        "SELECT consumed_offsets.": _read_offsets,
        "INSERT INTO outbox": _add_to_outbox,
        "DELETE FROM outbox WHERE outbox_id IN": _remove_unclaimed,
        "DELETE FROM outbox WHERE outbox_id = ANY": _remove,
        "SELECT outbox_id, topic, key, value, headers FROM outbox": _claim,
        "SELECT count(*) FROM (SELECT FROM outbox": _count,
        "SELECT extract(epoch FROM now() - create_time) AS age FROM outbox": _oldest,
        "SELECT concat_ws('/', system_identifier": _timeline,
        "SELECT pg_notify": _nothing,  # nobody watches
    }
    _found: dict[str, Statement] = {}  # noqa: RUF012 - it only spares looking again

    @classmethod
    def of(cls, query: str) -> Statement:
        """Return what ``query`` does."""
        if query not in cls._found:
            text = query.strip()
            (cls._found[query],) = [does for begin, does in cls._KNOWN.items() if text.startswith(begin)]
        return cls._found[query]


def _values(array: str) -> list[Any]:
    """Read an array of numbers or texts as ``postgres.sql.array`` writes it: but for its braces it is JSON."""
    found: list[Any] = json.loads(f"[{array[1:-1]}]", strict=False)
    return found


def _bytes(written: str) -> bytes:
    return bytes.fromhex(written.removeprefix("\\x"))
