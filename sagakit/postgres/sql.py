"""SQL from tables: what is repeated is made from SQLAlchemy's tables, once, at import, as text for the pipeline.

Statements that tell a story stay SQL, in their stores. Rows go to the server as one array for each column, which the
statement unnests: so one statement, prepared once, stores a batch of any size.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ClauseElement,
    Column,
    ColumnElement,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    cast,
    column,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID, Insert, insert
from sqlalchemy.dialects.postgresql.psycopg import dialect
from sqlalchemy.sql.selectable import TableValuedAlias

_DIALECT = dialect()  # type: ignore[no-untyped-call] # it comes without types


def text_of(statement: ClauseElement) -> str:
    """Return ``statement`` as text, with its parameters as ``%(name)s``, each cast to its type.

    Raises:
        ValueError: a value stands in it, which the text would lose.
    """
    compiled = statement.compile(dialect=_DIALECT)
    if any(value is not None for value in compiled.params.values()):
        raise ValueError(f"give this as a parameter or as literal_column: {compiled.params}")
    return str(compiled)


def readable(chosen: Iterable[Column[Any]]) -> list[ColumnElement[Any]]:
    """Return the columns ``chosen`` as they are selected: our code has a UUID and a JSON document as text."""
    return [cast(one, Text).label(one.name) if isinstance(one.type, UUID | JSONB) else one for one in chosen]


def columns_of(table: Table, kind: type) -> list[Column[Any]]:
    """Return the columns of ``table`` that have the names of the fields of ``kind``, in the order of the fields.

    Raises:
        ValueError: a field has no column.
    """
    for name in kind.__annotations__:
        if name not in table.c:
            raise ValueError(f"{kind.__name__}.{name} has no column in {table.name}")
    return [table.c[name] for name in kind.__annotations__]


def select_those(chosen: Iterable[ColumnElement[Any]], key: Column[Any]) -> Select[Any]:
    """Select the columns ``chosen`` of the rows whose ``key`` is in the array parameter ``ids``."""
    return select(*chosen).where(key == any_(bindparam("ids", type_=ARRAY(key.type))))


def lock_those(chosen: Iterable[ColumnElement[Any]], key: Column[Any]) -> Select[Any]:
    """Do as `select_those` does, and lock the rows, in key order, so that two who lock do not deadlock."""
    return select_those(chosen, key).order_by(key).with_for_update(key_share=True)


def unnest(name: str, chosen: Iterable[Column[Any]], prefix: str = "") -> TableValuedAlias:
    """Return rows, called ``name``, from an array parameter for each column ``chosen``: ``prefix`` and its name."""
    given = list(chosen)
    arrays = (bindparam(prefix + one.name, type_=ARRAY(one.type)) for one in given)
    return func.unnest(*arrays).table_valued(*(column(one.name, one.type) for one in given)).render_derived(name=name)


def insert_rows(table: Table, chosen: Iterable[Column[Any]]) -> Insert:
    """Insert rows from an array parameter for each column ``chosen``, named as it is."""
    rows = unnest("given", chosen)
    return insert(table).from_select(list(rows.c), select(*rows.c))


def where(conditions: Mapping[str, object]) -> str:
    """Return a WHERE clause of those ``conditions`` whose value is not None; empty where there are none.

    A condition that holds where its value is NULL would do, too, but no plan for all values can use an index for it.
    """
    given = [condition for condition, value in conditions.items() if value is not None]
    return "WHERE " + " AND ".join(given) if given else ""


def array(values: Iterable[object]) -> str:
    """Write ``values`` as an array, for a parameter that its statement casts: ``%(ids)s::bigint[]``.

    psycopg takes lists, too, but asks of each element anew how to write it: half of a service's time under load.
    """
    write = _WRITTEN.get
    return "{" + ",".join([write(type(value), _quoted)(value) for value in values]) + "}"


def columns(items: Sequence[object], names: Iterable[str]) -> dict[str, str]:
    """Write the attributes ``names`` of ``items`` as arrays: the parameters of a statement that unnests them."""
    return {name: array([getattr(item, name) for item in items]) for name in names}


def _quoted(value: object) -> str:
    written = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
    if "\\" in written or '"' in written:
        written = written.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{written}"'


_WRITTEN: dict[type, Callable[[Any], str]] = {
    int: str,
    bool: str,
    type(None): lambda _: "NULL",
    datetime: lambda value: f'"{value.isoformat()}"',
}
"""By type; whatever else is quoted."""
