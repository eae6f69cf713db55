"""Records as dataclasses, for tests and first tries; a project generates those of its contracts from Avro schemas."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import NoneType
from typing import Any, ClassVar, Self, get_args, get_type_hints

_AVRO: Mapping[object, object] = {
    int: "long",
    str: "string",
    bool: "boolean",
    float: "double",
    NoneType: "null",
    datetime: {"type": "long", "logicalType": "timestamp-micros"},
}
"""What a field's type is in Avro."""


@dataclass(frozen=True)
class PlainRecord:
    """A record whose Avro schema is read off its fields.

    A subclass names its topic, and is a frozen dataclass::

        @dataclass(frozen=True)
        class BookHotel(PlainRecord, topic="book-hotel"):
            city: str
    """

    TOPIC: ClassVar[str]
    FULL_NAME: ClassVar[str]
    SCHEMA: ClassVar[str]

    key: int
    """The saga's id, which is also the message's key."""

    def __init_subclass__(cls, *, topic: str) -> None:
        """Give the class its topic, its name and its schema."""
        cls.TOPIC, cls.FULL_NAME = topic, f"{cls.__module__}.{cls.__name__}"
        hints = {name: hint for name, hint in get_type_hints(cls).items() if name.islower()}
        fields = [{"name": name, "type": _avro_type(hint)} for name, hint in hints.items()]
        cls.SCHEMA = json.dumps(
            {"type": "record", "name": cls.__name__, "namespace": cls.__module__, "fields": fields},
            separators=(",", ":"),
        )

    def to_avro(self) -> dict[str, object]:
        """Return the fields by name."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> Self:
        """Build the record from what an Avro decoder gives."""
        return cls(**value)

    def out_of_range(self) -> str | None:
        """Return None: these fields have no limits but those of their types."""
        return None


def _avro_type(hint: object) -> object:
    """Return the Avro type of a field. Of ``str | None`` it is a union."""
    return [_AVRO[one] for one in get_args(hint)] or _AVRO[hint]
