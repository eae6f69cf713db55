"""Typed records, the content of messages: what a record class offers, and when two records tell the same."""

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
        """Return what an Avro encoder takes."""
        ...

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> Self:
        """Build the record from what an Avro decoder gives."""
        ...

    def out_of_range(self) -> str | None:
        """Return, in words, what is outside the limits of the contracts; None where nothing is."""
        ...


def same(one: Record, other: Record) -> bool:
    """Say whether two records of one type tell the same, in the fields that both of their writers knew.

    A field with a default may be one that the contracts have gained or lost since: who wrote a record, or kept it, may
    not have known the field, and then the default is read. So where either record has the default, the field says
    nothing against them.
    """
    if one == other:
        return True
    these, those, untold = one.to_avro(), other.to_avro(), _untold(type(one))
    return all(this == those[name] or not untold[name].isdisjoint((this, those[name])) for name, this in these.items())


@cache
def _untold(record_type: type[Record]) -> dict[str, frozenset[object]]:
    """Return, by field, the values that may stand for what was not known: its default, and its enum's."""
    fields = json.loads(record_type.SCHEMA)["fields"]
    return {field["name"]: frozenset(_defaults(field)) for field in fields}


def _defaults(field: Mapping[str, Any]) -> Iterator[object]:
    if "default" in field:
        yield field["default"]
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    yield from (one["default"] for one in types if isinstance(one, dict) and "default" in one)
