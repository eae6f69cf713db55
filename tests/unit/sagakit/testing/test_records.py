"""A plain record is one that real codecs, stores and sagas take."""

import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime

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
