"""Writers' schemas: what Avro allows is read within bounds, and everything else is refused."""

import json
from contextlib import suppress
from typing import Any

import fastavro
import pytest
from confluent_kafka.schema_registry import Schema, SchemaReference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sagakit.avro.untrusted_schemas import DEEPEST, LARGEST_SCHEMA, MOST_TYPES, PRIMITIVES, Writer, examine
from sagakit.errors import Poison

Json = Any


def record(*types: Json, name: str = "R", **more: Json) -> dict[str, Json]:
    fields = [{"name": f"f{number}", "type": one} for number, one in enumerate(types)]
    return {"type": "record", "name": name, "fields": fields, **more}


def examined(schema: Json) -> Writer:
    return examine(Schema(json.dumps(schema), "AVRO"))


def refusal(text: str, kind: str = "AVRO", **more: Any) -> str:
    """Return the reason why a schema is not read."""
    with pytest.raises(Poison) as caught:
        examine(Schema(text, kind, **more))
    assert len(str(caught.value)) < 500
    str(caught.value).encode()
    return caught.value.reason


def nested(depth: int, inner: Json = "int") -> Json:
    for _ in range(depth):
        inner = {"type": "array", "items": inner}
    return inner


def doubling(times: int) -> Json:
    """A record that holds the one before twice, and so on: many types in a few lines."""
    first = record("null", name="R0")
    return record(
        first,
        *[record(f"R{number - 1}", f"R{number - 1}", name=f"R{number}") for number in range(1, times)],
        name="Top",
    )


READ: dict[str, Json] = {
    "no fields": record(),
    "primitives": record(*sorted(PRIMITIVES)),
    "spelled out": record({"type": "string", "avro.java.string": "String"}, {"type": "long"}),
    "optional array": record(["null", {"type": "array", "items": "long"}]),
    "map of records": record({"type": "map", "values": record("int", name="Inner")}),
    "enum": record({"type": "enum", "name": "Colour", "symbols": ["RED"], "default": "RED"}),
    "fixed": record({"type": "fixed", "name": "Hash", "size": 16}),
    "a type used twice": record(record("int", name="Inner"), "Inner", ["null", "Inner"]),
    "deep": record(nested(DEEPEST - 2)),
    "aliases and docs": record("int", aliases=["Other"], doc="\N{SNOWMAN}" * 100),
    "an unknown logical type": record({"type": "bytes", "logicalType": "decimal", "precision": 10**9}),
}


@pytest.mark.parametrize("name", READ)
def test_what_avro_allows_is_read_as_fastavro_alone_reads_it(name: str) -> None:
    schema = READ[name]
    assert examined(schema).name == "R"
    ours, theirs = (fastavro.schema.to_parsing_canonical_form(one) for one in (examined(schema).schema, schema))
    assert ours == theirs


def test_names_are_found_in_the_namespace_around_them() -> None:
    inner = record("int", name="Inner", namespace="b")
    schema = record(inner, "b.Inner", record("int", name="Other"), "Other", name="Outer", namespace="a")
    assert examined(schema).named.keys() == {"a.Outer", "b.Inner", "a.Other"}
    assert examined(record("int", name="x.y.Full", namespace="ignored")).name == "x.y.Full"


REFUSED: dict[str, Json] = {
    "a list": record(["null", record(["null", "Node"], name="Node")]),
    "a record in itself": record("R"),
    "in an array": record({"type": "array", "items": "R"}),
    "in a map": record({"type": "map", "values": "R"}),
    "by way of another": record(record({"type": "array", "items": ["null", "R"]}, name="Inner")),
    "by its full name": record(["null", "n.R"], namespace="n"),
    "nested arrays": record(nested(DEEPEST)),
    "very nested arrays": record(nested(500)),
    "nested spellings": record(json.loads('{"type":' * 100 + '"int"' + "}" * 100)),
    "a huge fixed": record({"type": "fixed", "name": "F", "size": 2**40}),
    "many fields": record(*["int"] * MOST_TYPES),
    "doubled": doubling(12),
    "doubled forty times": doubling(40),
    "huge text": record("int", doc="x" * LARGEST_SCHEMA),
}


@pytest.mark.parametrize("name", REFUSED)
def test_more_than_is_read_here_is_refused(name: str) -> None:
    assert refusal(json.dumps(REFUSED[name])) == "SCHEMA_REFUSED"


def test_a_schema_made_of_others_is_refused() -> None:
    reference = SchemaReference(name="Other", subject="other", version=1)
    assert refusal(json.dumps(record("Other")), references=[reference]) == "SCHEMA_REFUSED"


NOT_AVRO: dict[str, str] = {
    "nothing": "",
    "no JSON": "syntax = 'proto3';",
    "deep JSON": "[" * 30_000,
    "deep JSON, closed": "[" * 30_000 + "]" * 30_000,
    "a number of many digits": '{"type":"fixed","name":"F","size":' + "9" * 10_000 + "}",
    "a number": "7",
    "null": "null",
    "no type": "{}",
    "no fields": '{"type":"record","name":"R"}',
    "fields are no list": '{"type":"record","name":"R","fields":7}',
    "a field without type": '{"type":"record","name":"R","fields":[{"name":"a"}]}',
    "an unknown type": json.dumps(record("Nothing")),
    "a null byte in a name": json.dumps(record(name="R\0")),
    "a null byte in a field": '{"type":"record","name":"R","fields":[{"name":"a\\u0000","type":"int"}]}',
    "a lone surrogate in a field": '{"type":"record","name":"R","fields":[{"name":"\\ud800","type":"int"}]}',
    "a lone surrogate in a type": json.dumps(record("\ud800")),
    "a lone surrogate in a symbol": json.dumps(record({"type": "enum", "name": "E", "symbols": ["\ud800"]})),
    "a name that is no text": json.dumps(record(name=7)),  # type: ignore[arg-type] # on purpose
    "a negative fixed": json.dumps(record({"type": "fixed", "name": "F", "size": -1})),
    "a fixed of a bool": json.dumps(record({"type": "fixed", "name": "F", "size": True})),
    "a fixed of NaN": '{"type":"fixed","name":"F","size":NaN}',
    "two fields of a name": json.dumps({**record(), "fields": [{"name": "a", "type": "int"}] * 2}),
    "two types of a name": json.dumps(record(record(name="I"), record(name="I"))),
    "a primitive's name": json.dumps(record(name="int")),
    "a union in a union": json.dumps(record([["null"], "int"])),
    # fastavro itself would believe that such a schema is parsed already.
    "parsed, it says": json.dumps({"__fastavro_parsed": True, "__named_schemas": {}, "type": "record"}),
}


@pytest.mark.parametrize("name", NOT_AVRO)
def test_what_is_no_avro_says_so(name: str) -> None:
    assert refusal(NOT_AVRO[name]) == "NOT_AVRO"


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF", "\ud800"])
def test_a_schema_of_another_kind_says_so(kind: str) -> None:
    assert refusal('{"type":"record","name":"R","fields":[]}', kind) == "NOT_AVRO"


def test_what_a_schema_says_of_itself_to_fastavro_is_not_believed() -> None:
    lie = record(record("int", name="Inner"), "Inner", __fastavro_parsed=True, __named_schemas={"Inner": "Inner"})
    assert examined(lie).named["Inner"]["fields"] == [{"name": "f0", "type": "int"}]
    assert examined(lie).schema["__named_schemas"]["Inner"]["type"] == "record"


@pytest.mark.parametrize("schema", ["int", ["null", "int"], {"type": "array", "items": "int"}], ids=str)
def test_what_is_no_record_has_no_name(schema: Json) -> None:
    assert examined(schema).name == ""


COMPLEX = ["record", "error", "enum", "fixed", "array", "map", "union"]
WORDS = st.sampled_from([*sorted(PRIMITIVES), *COMPLEX, "R", "Inner", "n.R", "", "\0", "\ud800"])
PARTS = ["name", "namespace", "fields", "items", "values", "symbols", "size", "aliases", "default", "logicalType"]
KEYS = st.sampled_from(["type", *PARTS])
JSON = st.recursive(
    WORDS | st.integers() | st.booleans() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=30,
)


@settings(database=None, derandomize=True, deadline=None, max_examples=400, suppress_health_check=list(HealthCheck))
@given(JSON)
def test_whatever_a_registry_holds_is_read_or_refused(schema: Json) -> None:
    with suppress(Poison):
        assert isinstance(examined(schema).named, dict)
