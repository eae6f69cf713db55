"""Sagas as rows: how a start is written, and how a row is read, whoever wrote or changed it.

A later version, before a roll-back, or a person may have written a row. What this version cannot read of it stands in
the saga's ``fault``; all other rows can be read.
"""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import ColumnElement, DateTime, Table, case, literal_column

from sagakit.orchestrator.tables import saga_events, sagas
from sagakit.postgres.pipeline import Row
from sagakit.postgres.sql import readable
from sagakit.records import Record
from sagakit.saga.instance import Event, EventType, Instance, Status

FIRST_TIME = datetime.min.replace(tzinfo=UTC) + timedelta(days=2)
LAST_TIME = datetime.max.replace(tzinfo=UTC) - timedelta(days=2)
"""PostgreSQL has times beyond what Python has, such as ``infinity``: they are read as the last one, or the first."""
_FIRST: ColumnElement[datetime] = literal_column(f"'{FIRST_TIME.isoformat()}'::timestamptz")
_LAST: ColumnElement[datetime] = literal_column(f"'{LAST_TIME.isoformat()}'::timestamptz")


def bounded(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the time ``column`` within what Python can read."""
    return case((column < _FIRST, _FIRST), (column > _LAST, _LAST), else_=column)


def _selected(table: Table) -> list[ColumnElement[Any]]:
    columns = readable(table.c)
    return [bounded(one).label(one.name) if isinstance(one.type, DateTime) else one for one in columns]


SAGA = _selected(sagas)
"""What `SagaRows.saga` reads."""
EVENT = _selected(saga_events)
"""What `event` reads."""


class SagaRows:
    """Reads and writes sagas that begin with one type of record."""

    def __init__(self, start: type[Record]) -> None:
        """Keep starts, which are of the type ``start``, as JSON."""
        self._type = start
        self._start: TypeAdapter[Any] = TypeAdapter(start)

    def start(self, instance: Instance) -> str:
        """Write a saga's start."""
        return self._start.dump_json(instance.start).decode()

    def saga(self, row: Row) -> Instance:
        """Read a saga; where this version cannot read it whole, its ``fault`` says why."""
        saga_id, start, status, *others = row
        record, start_fault = self._read(start)
        known, status_fault = _status(status)
        saga = Instance(saga_id, record, known, *others)
        fault = start_fault or status_fault
        return replace(saga, fault=fault) if fault else saga

    def _read(self, start: str) -> tuple[Record | None, str | None]:
        """Read a start as Avro would: a field that it lacks has its default, and one that is not known is passed over.

        Returns it, and why it cannot be read.
        """
        try:
            return self._start.validate_json(start), None
        except ValidationError as error:
            try:
                return self._start.validate_python(_with_known_symbols(self._type, json.loads(start))), None
            except (ValueError, AttributeError, RecursionError):  # somebody may have put anything there
                return None, f"its start cannot be read: {_wrong(error)}"


def _with_known_symbols(record_type: type[Record], content: dict[str, Any]) -> dict[str, Any]:
    """Return ``content`` with each symbol that this version's enums lack as the enum's default, as Avro has it."""
    read = dict(content.items())
    for field in json.loads(record_type.SCHEMA)["fields"]:
        types = field["type"] if isinstance(field["type"], list) else [field["type"]]
        for enum in (one for one in types if isinstance(one, dict) and "symbols" in one and "default" in one):
            symbol = read.get(field["name"])
            if isinstance(symbol, str) and symbol not in enum["symbols"]:
                read[field["name"]] = enum["default"]
    return read


def _wrong(error: ValidationError) -> str:
    """Return what is wrong, without the values: they may be private."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".removeprefix(": ") for one in found)[:300]


def _status(name: str) -> tuple[Status, str | None]:
    try:
        return Status(name), None
    except ValueError:
        return Status.UNKNOWN, f"this version does not know its status, {name}"


def event(row: Row) -> Event:
    """Read one event of a history; a type that this version does not know is put before the event's reason."""
    try:
        type_, reason = EventType(row.type), row.reason
    except ValueError:
        type_, reason = EventType.UNKNOWN, ": ".join(filter(None, (row.type, row.reason)))
    return Event(row.saga_id, row.version, row.create_time, type_, row.step, reason, row.message_id)
