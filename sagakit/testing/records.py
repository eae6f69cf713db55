"""Records as dataclasses, for tests and first tries; a project generates those of its contracts from Avro schemas."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from inspect import get_annotations
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, Union, get_args, get_origin, get_type_hints

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
        """Give the class its topic, its name and its schema.

        Raises:
            TypeError: a field has a type for which there is no Avro type here.
        """
        cls.TOPIC, cls.FULL_NAME = topic, f"{cls.__module__}.{cls.__name__}"
        hints = {name: hint for name, hint in get_type_hints(cls).items() if name.islower()}
        fields = [{"name": name, "type": _avro_type(f"{cls.__name__}.{name}", hint)} for name, hint in hints.items()]
        cls.SCHEMA = json.dumps(
            {"type": "record", "name": cls.__name__, "namespace": cls.__module__, "fields": fields},
            separators=(",", ":"),
        )

    def __new__(cls, *_: object, **__: object) -> Self:
        """Refuse a class whose decorator was forgotten; only now is it known whether it has one.

        Raises:
            TypeError: the class has fields of its own, and is no dataclass.
        """
        if "__dataclass_fields__" not in cls.__dict__ and any(name.islower() for name in get_annotations(cls)):
            msg = f"{cls.__name__} has fields, and is no dataclass: write @dataclass(frozen=True) above it"
            raise TypeError(msg)
        return super().__new__(cls)

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


def _avro_type(field: str, hint: Any) -> object:  # noqa: ANN401 - whatever stands behind a field's colon
    """Return the Avro type of a field. Of ``str | None`` it is a union.

    Raises:
        TypeError: there is none here.
    """
    union = get_origin(hint) in {Union, UnionType}
    types = get_args(hint) if union else (hint,)
    if not all(one in _AVRO for one in types):
        allowed = ", ".join(one.__name__ for one in (int, str, bool, float, datetime))
        said = hint.__name__ if isinstance(hint, type) and not get_args(hint) else hint
        msg = f"{field} is of type {said}; a field of a PlainRecord is {allowed}, or one of them or None"
        raise TypeError(msg)
    return [_AVRO[one] for one in types] if union else _AVRO[hint]
