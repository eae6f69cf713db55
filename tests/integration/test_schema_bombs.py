"""Schemas and values that are made to break a reader: each is parked alone, and the messages around it are handled."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

from devstack.stack import Stack
from sagakit.avro.codec import LARGEST_VALUE
from sagakit.avro.schema_ids import subject_of
from sagakit.messages import Encoded
from tests.support.avro import number
from tests.support.kafka import headers, taped
from tests.support.registry import registry_client
from tests.support.scratch import Group, scratch_group, store
from tests.support.wait import eventually

Json = Any
NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
NEST = {"type": "record", "name": "Nest", "fields": [{"name": "in", "type": {"type": "array", "items": "Nest"}}]}
TREE = {"type": "record", "name": "Tree", "fields": [{"name": "in", "type": {"type": "map", "values": "Tree"}}]}
EMPTY = {"type": "record", "name": "Empty", "fields": []}
MANY = {"type": "enum", "name": "Many", "symbols": [f"S{n}" for n in range(50_000)]}
DEEP = 30_000


def array(items: Json) -> Json:
    return {"type": "array", "items": items}


BOMBS: dict[str, tuple[str, Json, bytes]] = {
    "a long list": ("SCHEMA_REFUSED", ["null", NODE], b"\2" * DEEP + b"\0"),
    "deep arrays": ("SCHEMA_REFUSED", array(NEST), b"\2" * DEEP + b"\0" * (DEEP + 1)),
    "deep maps": ("SCHEMA_REFUSED", TREE, b"\2\0" * (DEEP // 2) + b"\0" * (DEEP // 2 + 1)),
    "nested types": ("SCHEMA_REFUSED", json.loads('{"type":"array","items":' * 200 + '"int"' + "}" * 200), b"\0"),
    "a huge schema": ("SCHEMA_REFUSED", MANY, b"\0"),
    "a huge fixed": ("SCHEMA_REFUSED", {"type": "fixed", "name": "F", "size": 2**24}, b""),
    "2³¹ nulls": ("UNDECODABLE", array("null"), number(2**31) + b"\0"),
    "2³¹ nulls, counted down": ("UNDECODABLE", array("null"), number(-(2**31)) + b"\0\0"),
    "2³¹ empty records": ("UNDECODABLE", array(EMPTY), number(2**31) + b"\0"),
    "bytes of 2⁴⁰": ("UNDECODABLE", "bytes", number(2**40)),
    "a string of less than none": ("UNDECODABLE", "string", number(-1) + b"abc"),
    "an entry without end": ("UNDECODABLE", {"type": "map", "values": "long"}, number(5) + b"\2a\2"),
    "half a double": ("UNDECODABLE", "double", b"\0\0\0"),
    "a byte left over": ("UNDECODABLE", "long", b"\2\2"),
    "too many bytes": ("TOO_LARGE", "bytes", number(LARGEST_VALUE) + b"x" * LARGEST_VALUE),
}  # fmt: skip

ADDED: dict[str, tuple[Json, Json, bytes]] = {
    "text": ("string", "red", number(4) + b"blue"),
    "an array": (array("string"), [], number(2) + number(1) + b"a" + number(1) + b"b" + b"\0"),
    "an optional map": (["null", {"type": "map", "values": "long"}], None, b"\2" + number(1) + b"\2a\2\0"),
    "a record": ({"type": "record", "name": "Inner", "fields": [{"name": "n", "type": "int"}]}, {"n": 1}, b"\2"),
    "an enum": ({"type": "enum", "name": "Colour", "symbols": ["RED", "BLUE"]}, "RED", b"\2"),
    "a fixed": ({"type": "fixed", "name": "Hash", "size": 4}, "abcd", b"1234"),
}


@pytest.fixture
def group(stack: Stack) -> Iterator[Group]:
    with scratch_group(stack) as group:
        yield group


@pytest.fixture
def registry(stack: Stack) -> Iterator[SchemaRegistryClient]:
    with registry_client(stack.registry_url) as client:
        yield client


def registered(registry: SchemaRegistryClient, group: Group, extra: Json, **default: Json) -> int:
    """Register the group's record with one more field; return its id."""
    schema = json.loads(group.ping.SCHEMA)
    schema["fields"].append({"name": "extra", "type": extra, **default})
    return registry.register_schema(subject_of(group.topic, group.ping.FULL_NAME), Schema(json.dumps(schema), "AVRO"))


def written(group: Group, schema_id: int, key: int, extra: bytes) -> Encoded:
    value = struct.pack(">bI", 0, schema_id) + number(key) + extra
    return Encoded(group.topic, str(key).encode(), value, (("message-type", group.ping.FULL_NAME.encode()),))


def test_each_is_parked_and_what_lies_around_it_is_handled(
    stack: Stack, group: Group, registry: SchemaRegistryClient
) -> None:
    good = list(range(1000, 1001 + 2 * len(BOMBS)))
    bombs = [
        written(group, registered(registry, group, schema), key, extra)
        for key, (_, schema, extra) in enumerate(BOMBS.values())
    ]
    with taped(stack.bootstrap, f"{group.name}.dlq") as tape:
        for count, bomb in enumerate(bombs):
            group.send(good[2 * count : 2 * count + 2])
            group.publish([bomb])
        group.send(good[-1:])
        consumer = group.consume(store)
        letters = tape.until(len(BOMBS))

    def handled() -> None:
        assert group.effects() == good
        assert group.committed() == [len(good) + len(BOMBS)]

    eventually(handled, 30)
    assert consumer.state == "running"
    reasons = {headers(letter)["dead-letter-key"]: headers(letter)["dead-letter-reason"].decode() for letter in letters}
    assert [reasons[str(key).encode()] for key in range(len(BOMBS))] == [reason for reason, _, _ in BOMBS.values()]


def test_a_newer_writer_that_adds_a_field_of_any_type_is_read(group: Group, registry: SchemaRegistryClient) -> None:
    for key, (schema, default, extra) in enumerate(ADDED.values()):
        group.publish([written(group, registered(registry, group, schema, default=default), key, extra)])
    group.consume(store)

    def handled() -> None:
        assert group.effects() == list(range(len(ADDED)))
        assert group.committed() == [len(ADDED)]

    eventually(handled, 30)
