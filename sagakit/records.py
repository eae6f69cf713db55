"""Typed records, the content of messages: what a record class offers, and when two records have the same content."""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar, Protocol, Self


class Record(Protocol):
    """An Avro record as a Python class; ``gen/`` has one for every record type of the contracts."""

    TOPIC: ClassVar[str]
    FULL_NAME: ClassVar[str]
    SCHEMA: ClassVar[str]

    @property
    def key(self) -> int:
        """The Kafka key, written in decimal on the wire."""
        ...

    def to_avro(self) -> dict[str, object]:
        """Return the values by field, as an Avro encoder takes them."""
        ...

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> Self:
        """Build the record from the values that an Avro decoder returns."""
        ...

    def out_of_range(self) -> str | None:
        """Say which value is outside the limits of the contracts; None where all are inside."""
        ...


def same(one: Record, other: Record) -> bool:
    """Say whether two records of one type are equal in the fields that both of their writers knew.

    A field with a default may have been added or removed since. A writer who did not know it left the default. So
    where either record has the default, the field does not count.
    """
    if one == other:
        return True
    these, those, defaults = one.to_avro(), other.to_avro(), _defaults(type(one))
    return all(
        this == those[name] or not defaults[name].isdisjoint((this, those[name])) for name, this in these.items()
    )


@cache
def _defaults(record_type: type[Record]) -> dict[str, frozenset[object]]:
    """Return each field's default values: the field's own, and its enum's."""
    fields = json.loads(record_type.SCHEMA)["fields"]
    return {field["name"]: frozenset(_defaults_of(field)) for field in fields}


def _defaults_of(field: Mapping[str, Any]) -> Iterator[object]:
    if "default" in field:
        yield field["default"]
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    yield from (one["default"] for one in types if isinstance(one, dict) and "default" in one)
