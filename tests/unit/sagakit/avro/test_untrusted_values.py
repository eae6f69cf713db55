"""Avro values: each count and length is compared with the bytes that are there, before fastavro reads or skips them."""

import io
import json
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema
from fastavro.utils import generate_one
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagakit.avro import untrusted_values
from sagakit.avro.untrusted_schemas import Writer, examine
from sagakit.avro.untrusted_values import BrokenValueError
from tests.support.avro import number

Json = Any
EMPTY = {"type": "record", "name": "Empty", "fields": []}
MOST_ITEMS = 20_000
"""More steps than a few bytes may take."""

FUZZ = settings(database=None, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def examined(schema: Json) -> Writer:
    fields = [{"name": "value", "type": schema}]
    return examine(Schema(json.dumps({"type": "record", "name": "R", "fields": fields}), "AVRO"))


def array(items: Json) -> Json:
    return {"type": "array", "items": items}


def a_map(values: Json) -> Json:
    return {"type": "map", "values": values}


def fixed(size: int) -> Json:
    return {"type": "fixed", "name": "Fixed", "size": size}


COLOUR = {"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}
MANY_NULLS = {"type": "record", "name": "Many", "fields": [{"name": f"n{n}", "type": "null"} for n in range(900)]}

BROKEN: dict[str, tuple[Json, bytes]] = {
    "2³¹ nulls": (array("null"), number(2**31) + b"\0"),
    "2⁶² nulls": (array("null"), number(2**62) + b"\0"),
    "2³¹ nulls, counted down": (array("null"), number(-(2**31)) + b"\0\0"),
    "2⁶³ nulls, counted down": (array("null"), number(-(2**63)) + b"\0\0"),
    "2³¹ empty records": (array(EMPTY), number(2**31) + b"\0"),
    "2³¹ fixeds of nothing": (array(fixed(0)), number(2**31) + b"\0"),
    "nulls in blocks": (array("null"), number(MOST_ITEMS) * 50 + b"\0"),
    "arrays of many nulls": (array(array("null")), number(100) + (number(10_000) + b"\0") * 100 + b"\0"),
    "records of many nulls": (array(MANY_NULLS), number(100) + b"\0"),
    "2³¹ longs that are not there": (array("long"), number(2**31) + b"\2\2"),
    "2³¹ entries that are not there": (a_map("null"), number(2**31) + b"\2a"),
    "bytes of 2⁴⁰": ("bytes", number(2**40)),
    "bytes of 2⁶²": ("bytes", number(2**62) + b"abc"),
    "bytes of less than none": ("bytes", number(-1) + b"abc"),
    "one byte too few": ("bytes", number(4) + b"abc"),
    "a string of 2⁴⁰": ("string", number(2**40)),
    "a string of less than none": ("string", number(-3) + b"abc"),
    "a string that is not UTF-8": ("string", number(2) + b"\xff\xfe"),
    "a string with a lone surrogate": ("string", number(3) + b"\xed\xa0\x80"),
    "a key that is not UTF-8": (a_map("null"), number(1) + number(2) + b"\xff\xfe" + b"\0"),
    "a key of 2⁴⁰": (a_map("null"), number(1) + number(2**40)),
    "a number of eleven bytes": ("long", b"\x80" * 10 + b"\1"),
    "a number of a thousand bytes": ("long", b"\xff" * 1000 + b"\1"),
    "a number of 65 bits": ("long", b"\xff" * 9 + b"\3"),
    "a number without end": ("long", b"\xff\xff"),
    "no number": ("long", b""),
    "an int of 33 bits": ("int", number(2**31)),
    "half a float": ("float", b"\0\0"),
    "half a double": ("double", b"\0" * 7),
    "half a fixed": (fixed(16), b"\0" * 8),
    "a boolean of 7": ("boolean", b"\7"),
    "a symbol before the first": (COLOUR, number(-1)),
    "a symbol behind the last": (COLOUR, number(2)),
    "a branch before the first": (["null", "long"], number(-1)),
    "a branch behind the last": (["null", "long"], number(2)),
    "an array without end": (array("long"), number(1) + b"\2"),
    "a block that says it is longer": (array("long"), number(-1) + number(2) + b"\2\0"),
    "a block that says it is shorter": (array("long"), number(-1) + number(0) + b"\2\0"),
    "a block that says it is negative": (array("long"), number(-1) + number(-1) + b"\2\0"),
    "a block of 2⁴⁰ bytes": (array("long"), number(-1) + number(2**40) + b"\2\0"),
    "a byte left over": ("long", b"\2\0"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_value_of_its_schema_is_refused_without_reading_it(name: str) -> None:
    schema, value = BROKEN[name]
    with pytest.raises(BrokenValueError) as caught:
        untrusted_values.check(value, 0, examined(schema))
    assert len(str(caught.value)) < 200


READ: dict[str, tuple[Json, bytes]] = {
    "a few nulls": (array("null"), number(100) + b"\0"),
    "no items": (array("long"), b"\0"),
    "blocks with and without size": (array("long"), number(-1) + number(1) + b"\2" + number(1) + b"\4\0"),
    "the largest long": ("long", number(2**63 - 1)),
    "the smallest long": ("long", number(-(2**63))),
    "a number with needless bytes": ("long", b"\x82\x80\x00"),
    "a map": (a_map(array("string")), number(1) + b"\2a" + number(1) + b"\2b\0\0"),
    "an optional record": (["null", EMPTY], b"\2"),
}


@pytest.mark.parametrize("name", READ)
def test_a_value_of_its_schema_passes_and_fastavro_reads_just_as_much(name: str) -> None:
    schema, value = READ[name]
    untrusted_values.check(b"head" + value, 4, examined(schema))
    assert ends(examined(schema), value) == (len(value), len(value))


def ends(writer: Writer, value: bytes) -> tuple[int, int]:
    """Return the position after fastavro has read ``value``, and the one after it has skipped it."""
    found = []
    for reader in (None, EMPTY):
        renamed = None if reader is None else {**EMPTY, "name": "R"}
        body = io.BytesIO(value)
        fastavro.schemaless_reader(body, writer.schema, renamed)
        found.append(body.tell())
    return found[0], found[1]


NAMES = iter(f"N{number}" for number in range(10**9))
LEAVES = st.sampled_from(["null", "boolean", "int", "long", "float", "double", "bytes", "string"])


def named(schema: Json) -> Json:
    return {**schema, "name": next(NAMES)}


def a_record(types: list[Json]) -> Json:
    return named({"type": "record", "fields": [{"name": f"f{n}", "type": one} for n, one in enumerate(types)]})


def unions(branches: list[Json]) -> Json:
    """Return a union of those types that a union may have together."""
    kinds = {str(one if isinstance(one, str) else one["type"]): one for one in branches if not isinstance(one, list)}
    return list(kinds.values()) or "null"


SCHEMAS = st.recursive(
    LEAVES
    | st.integers(0, 20).map(lambda size: named(fixed(size)))
    | st.just(COLOUR).map(named)
    | st.sampled_from(["timestamp-micros", "timestamp-millis"]).map(lambda kind: {"type": "long", "logicalType": kind}),
    lambda inner: (
        inner.map(array)
        | inner.map(a_map)
        | st.lists(inner, max_size=4).map(a_record)
        | st.lists(inner, min_size=1, max_size=3).map(unions)
    ),
    max_leaves=8,
)


@settings(FUZZ, max_examples=100)
@given(SCHEMAS)
def test_whatever_fastavro_writes_passes(schema: Json) -> None:
    writer = examined(schema)
    out = io.BytesIO()
    fastavro.schemaless_writer(out, writer.schema, generate_one(writer.schema))
    untrusted_values.check(out.getvalue(), 0, writer)


BITS = st.binary(max_size=40) | st.lists(
    st.integers(-3, 3).map(number) | st.sampled_from([2**31, -(2**31), 2**62, -(2**63), 50_000]).map(number),
    max_size=12,
).map(b"".join)


@settings(FUZZ, max_examples=400)
@given(SCHEMAS, BITS)
def test_whatever_passes_is_read_and_skipped_to_its_end_and_nothing_else_is_read(schema: Json, value: bytes) -> None:
    writer = examined(schema)
    try:
        untrusted_values.check(value, 0, writer)
    except BrokenValueError:
        return
    try:
        assert ends(writer, value) == (len(value), len(value))
    except OverflowError:
        assert "timestamp" in json.dumps(schema)


@pytest.mark.parametrize(
    ("value", "overlong"),
    [
        (b"\x80" * 9 + b"\1", True),
        (b"ab" + b"\xff" * 9, True),
        (b"\xff" * 8 + b"\1" + b"\xff" * 8, False),
        (number(2**61), False),
        (b"", False),
    ],
)
def test_nine_bytes_in_a_row_with_their_highest_bit_set_may_be_an_overlong_number(value: bytes, overlong: bool) -> None:
    assert untrusted_values.may_be_overlong(value) is overlong
