"""Writers' schemas from the registry, checked before anything is read with them.

Anybody who may register a schema, or write a message, chooses the schema with which we read. And fastavro trusts it: it
recurses on C's stack as deep as the value goes, loops as often as a count says, and skips its checks for a schema that
calls itself parsed. So each schema is rebuilt from what Avro allows, within bounds, or refused.

Specification: https://avro.apache.org/docs/1.12.0/specification/
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import fastavro
from confluent_kafka.schema_registry import Schema

from sagakit.errors import Poison

LARGEST_SCHEMA = 65_536
"""Characters of a schema's text."""
DEEPEST = 16
"""How deep types may be nested in each other."""
MOST_TYPES = 1_000
"""How many types and fields a schema may have, once each name is replaced by the type that it names."""
LARGEST_FIXED = 65_536
"""Bytes of a ``fixed``."""

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
_TIMES = frozenset({"timestamp-millis", "timestamp-micros"})
"""The logical types that we read as such. Of any other we read the plain value."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*", re.ASCII)

Avro: TypeAlias = Any
"""A schema in JSON: a name, a dictionary or, for a union, a list."""


class Writer(NamedTuple):
    """A schema that messages are written with."""

    name: str
    """The record's full name; empty where it is no record."""
    schema: Avro
    """The parsed form that fastavro takes."""
    named: Mapping[str, Avro]
    """The type that each name in it stands for."""


class _Size(NamedTuple):
    """How large a type is, once each name in it is replaced by the type that it names."""

    depth: int
    types: int


class _NotAvroError(Exception):
    """This is no Avro schema."""


class _BeyondError(Exception):
    """This may be Avro, but exceeds our bounds."""


def examine(schema: Schema) -> Writer:
    """Return the writer's schema for a ``schema`` from the registry.

    Raises:
        Poison: it is no Avro schema (``NOT_AVRO``), or one that we do not read (``SCHEMA_REFUSED``): it is recursive,
            too large, nested too deeply, or made of several schemas.
    """
    text = schema.schema_str or ""
    if (schema.schema_type or "AVRO") != "AVRO":
        raise Poison("NOT_AVRO", f"it is {schema.schema_type!a:.20}")
    if schema.references:
        raise Poison("SCHEMA_REFUSED", "it refers to other schemas")
    if len(text) > LARGEST_SCHEMA:
        raise Poison("SCHEMA_REFUSED", f"its text has {len(text)} characters")
    try:
        examination = _Examination()
        clean, _ = examination.of(json.loads(text), "", 0)
        parsed = fastavro.parse_schema(clean)
    except _BeyondError as error:
        raise Poison("SCHEMA_REFUSED", str(error)) from error
    except Exception as error:  # a registry may hold any text, and each library fails on it in its own way
        raise Poison("NOT_AVRO", f"{type(error).__name__}: {str(error)[:200]!a}") from error
    name = clean["name"] if isinstance(clean, dict) and clean["type"] == "record" else ""
    return Writer(name, parsed, examination.named)


class _Examination:
    """Checks one schema, and rebuilds it."""

    def __init__(self) -> None:
        self.named: dict[str, Avro] = {}
        self._sizes: dict[str, _Size | None] = {}
        """The size of each named type; None while the type is still being defined."""

    def of(self, schema: Avro, namespace: str, depth: int) -> tuple[Avro, _Size]:
        """Return ``schema`` rebuilt, and its size; it stands at ``depth`` and in ``namespace``."""
        if depth >= DEEPEST:
            raise _BeyondError(f"its types are nested more than {DEEPEST} deep")
        if isinstance(schema, str):
            return self._name(schema, namespace)
        if isinstance(schema, list):
            clean, size = self._union(schema, namespace, depth)
        elif isinstance(schema, dict):
            clean, size = self._complex(schema, namespace, depth)
        else:
            raise _NotAvroError("a type is neither a name nor an object nor a list")
        if size.depth > DEEPEST or size.types > MOST_TYPES:
            raise _BeyondError(f"with its names replaced, it has {size.types} types, {size.depth} deep")
        return clean, size

    def _name(self, name: str, namespace: str) -> tuple[Avro, _Size]:
        if name in PRIMITIVES:
            return name, _Size(1, 1)
        full = f"{namespace}.{name}" if namespace and "." not in name else name
        size = self._sizes[full]
        if size is None:
            raise _BeyondError(f"the type {full} contains itself")
        return full, size

    def _union(self, branches: list[Avro], namespace: str, depth: int) -> tuple[Avro, _Size]:
        if any(isinstance(branch, list) for branch in branches):
            raise _NotAvroError("a union stands in a union")
        found = [self.of(branch, namespace, depth + 1) for branch in branches]
        return [clean for clean, _ in found], _around(size for _, size in found)

    def _complex(self, schema: dict[str, Avro], namespace: str, depth: int) -> tuple[Avro, _Size]:
        match schema["type"]:
            case "record" | "error":
                return self._record(schema, namespace, depth)
            case "enum" | "fixed":
                return self._leaf(schema, namespace)
            case "array" | "map" as kind:
                part = "items" if kind == "array" else "values"
                clean, size = self.of(schema[part], namespace, depth + 1)
                return {"type": kind, part: clean}, _around([size])
            case "long" if schema.get("logicalType") in _TIMES:
                return {"type": "long", "logicalType": schema["logicalType"]}, _Size(1, 1)
            case inner:
                return self.of(inner, namespace, depth + 1)

    def _record(self, schema: dict[str, Avro], namespace: str, depth: int) -> tuple[Avro, _Size]:
        full = _full_name(schema, namespace)
        self._begin(full)
        inside, fields, sizes = full.rpartition(".")[0], [], []
        for field in schema["fields"]:
            clean, size = self.of(field["type"], inside, depth + 1)
            fields.append({"name": _proper(field["name"]), "type": clean})
            sizes.append(size)
        if len({field["name"] for field in fields}) < len(fields):
            raise _NotAvroError(f"two fields of {full} have the same name")
        clean = {"type": "record", "name": full, "fields": fields}
        self.named[full], self._sizes[full] = clean, _around(sizes)
        return clean, _around(sizes)

    def _leaf(self, schema: dict[str, Avro], namespace: str) -> tuple[Avro, _Size]:
        full, kind = _full_name(schema, namespace), schema["type"]
        self._begin(full)
        clean = {"type": kind, "name": full}
        if kind == "enum":
            clean["symbols"] = [_proper(symbol) for symbol in schema["symbols"]]
        else:
            clean["size"] = _proper_size(schema["size"])
        self.named[full], self._sizes[full] = clean, _Size(1, 1)
        return clean, _Size(1, 1)

    def _begin(self, full: str) -> None:
        if full in self._sizes or full in PRIMITIVES:
            raise _NotAvroError(f"{full} is defined twice")
        self._sizes[full] = None


def _around(inside: Any) -> _Size:  # noqa: ANN401 - an iterable of sizes
    sizes = list(inside)
    return _Size(1 + max((size.depth for size in sizes), default=0), 1 + sum(size.types for size in sizes))


def _full_name(schema: dict[str, Avro], namespace: str) -> str:
    name = schema["name"]
    inside = schema.get("namespace", namespace)
    return _proper(f"{inside}.{name}" if inside and "." not in name else name)


def _proper(name: Avro) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _NotAvroError(f"{name!a:.100} is no name")
    return name


def _proper_size(size: Avro) -> int:
    if type(size) is not int or size < 0:
        raise _NotAvroError(f"{size!a:.40} is no size")
    if size > LARGEST_FIXED:
        raise _BeyondError(f"a fixed is to have {size} bytes")
    return size
