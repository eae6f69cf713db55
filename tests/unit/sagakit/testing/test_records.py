"""A plain record is one that real codecs, stores and sagas take."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import fastavro
import pytest

from sagakit.records import Record, same
from sagakit.testing import PlainRecord
from sagakit.testing.example import BookHotel, HotelBooked, TripPlanned


@dataclass(frozen=True)
class Everything(PlainRecord, topic="everything"):
    text: str
    yes: bool
    share: float
    time: datetime
    perhaps: str | None = None


WHOLE = Everything(7, "Rome", yes=True, share=0.5, time=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize("record", [WHOLE, TripPlanned(7, "Rome", 2), HotelBooked(7, success=False, reason="NO_ROOM")])
def test_it_comes_back_from_avro_as_it_was(record: Record) -> None:
    schema = fastavro.parse_schema(json.loads(record.SCHEMA))
    written = io.BytesIO()
    fastavro.schemaless_writer(written, schema, record.to_avro())
    written.seek(0)
    read = fastavro.schemaless_reader(written, schema, None)
    assert isinstance(read, dict)
    assert type(record).from_avro(read) == record


def test_its_name_and_topic_are_those_of_its_class() -> None:
    assert (BookHotel.FULL_NAME, BookHotel.TOPIC) == ("sagakit.testing.example.BookHotel", "book-hotel")


def test_it_is_the_same_with_the_same_content_only() -> None:
    assert same(TripPlanned(7, "Rome", 2), TripPlanned(7, "Rome", 2))
    assert not same(TripPlanned(7, "Rome", 2), TripPlanned(7, "Rome", 3))


@pytest.mark.parametrize("content", [{"city": "Rome"}, {}], ids=["given", "default"])
def test_a_forgotten_dataclass_decorator_is_named_when_the_class_is_used(content: dict[str, Any]) -> None:
    class Forgotten(PlainRecord, topic="forgotten"):
        city: str = "Oslo"

    with pytest.raises(TypeError, match=r"Forgotten has fields, and is no dataclass: write @dataclass\(frozen=True\)"):
        Forgotten(7, **content)


@pytest.mark.parametrize(
    ("kind", "said"), [(bytes, "bytes"), (list[int], "list[int]"), (list[int] | None, "list[int] | None")]
)
def test_a_type_that_no_field_can_have_is_named_with_the_field_and_those_that_it_can(kind: object, said: str) -> None:
    with pytest.raises(TypeError) as failed:
        type("Photo", (PlainRecord,), {"__annotations__": {"pixels": kind}}, topic="photos")
    assert str(failed.value) == (
        f"Photo.pixels is of type {said}; a field of a PlainRecord is int, str, bool, float, datetime, "
        "or one of them or None"
    )
