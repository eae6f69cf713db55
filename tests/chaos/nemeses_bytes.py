"""Faults of bytes: schemas that are bombs, and records that are good Avro and say what no service would say."""

import io
import json
import struct
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from random import Random
from typing import Any

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from tests.chaos.evidence import TOPICS, Record
from tests.chaos.nemeses_topics import Raw, write
from tests.chaos.recorder import Recorder
from tests.chaos.stage import Stage
from tests.support import trust

_NODE = {"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}
_NEST = {"type": "record", "name": "Nest", "fields": [{"name": "in", "type": {"type": "array", "items": "Nest"}}]}
_NO_NUMBERS = (-1, -1000, -(2**62), 0)
"""None of them is an id or a quantity; a price may be 0."""
_DEEPEST_JSON = 300
"""Python, which writes the schema here, nests no deeper by far than a reader may have to."""
_WITH_TEXT = {"OrderCreated": "address", "CreateDeliveryCommand": "address", "CancelOrderCommand": "reason"}
_LIMITED = {
    "OrderCreated": ("user_id", "product_id", "quantity", "price"),
    "DecreaseProductCommand": ("product_id", "quantity", "price"),
    "IncreaseProductCommand": ("product_id", "quantity"),
    "CreateDeliveryCommand": ("user_id",),
}
"""Numbers that are positive in whatever a service writes, by record type."""
_PLACEHOLDER = "~~~"
_NO_TEXT = (b"a\x00b", b"\xed\xa0\x80")
"""Bytes that no text may hold, for the placeholder: NUL, which no database stores; half of a surrogate pair."""


def _bombs(depth: int) -> Mapping[str, tuple[dict[str, Any], bytes]]:
    """Return what a schema may have more than ours, and bytes of it, that cost a reader far more than they weigh."""
    deep_schema: Any = "int"
    for _ in range(min(depth, _DEEPEST_JSON)):
        deep_schema = {"type": "array", "items": deep_schema}
    return {
        "a list, deep": ({"name": "bomb", "type": ["null", _NODE], "default": None}, b"\x02" * depth + b"\x00"),
        "arrays in arrays, deep": (
            {"name": "bomb", "type": {"type": "array", "items": _NEST}, "default": []},
            b"\x02" * depth + b"\x00" * (depth + 1),
        ),
        "2³¹ nulls": (_array_of("null"), _varint(2**31) + b"\x00"),
        "2³¹ empty records": (_array_of({"type": "record", "name": "E", "fields": []}), _varint(2**31) + b"\x00"),
        "a map that says 2⁴⁰": (
            {"name": "bomb", "type": {"type": "map", "values": "null"}, "default": {}},
            _varint(2**40) + b"\x02a",
        ),
        "bytes that say 2⁴⁰": ({"name": "bomb", "type": "bytes", "default": ""}, _varint(2**40)),
        "a text that says -5": ({"name": "bomb", "type": "string", "default": ""}, _varint(-5) + b"abc"),
        "fixed bytes, 2⁴⁰": ({"name": "bomb", "type": {"type": "fixed", "name": "F", "size": 2**40}}, b"\x00" * 8),
        "a schema of arrays in arrays": ({"name": "bomb", "type": deep_schema}, b"\x00"),
    }


def _array_of(items: object) -> dict[str, Any]:
    return {"name": "bomb", "type": {"type": "array", "items": items}, "default": []}


def _varint(number: int) -> bytes:
    """Return ``number`` as Avro writes a long (https://avro.apache.org/docs/1.12.0/specification/#binary-encoding)."""
    zigzag = (number << 1) ^ (number >> 63)
    out = bytearray()
    while zigzag & ~0x7F:
        out.append((zigzag & 0x7F) | 0x80)
        zigzag >>= 7
    return bytes([*out, zigzag])


BOMBS = sorted(_bombs(0))
"""The kinds of bomb."""


@contextmanager
def poison_schema(stage: Stage, random: Random) -> Iterator[str]:
    """Write records whose schema is in the registry, and is a bomb to whoever reads by it; each behind a good one."""
    models = _models(stage, random)
    written: list[Raw] = []
    names: list[str] = []
    depth = random.choice([3_000, 40_000])
    for model, what in zip(models, random.sample(BOMBS, len(BOMBS)), strict=False):
        with suppress(SchemaRegistryError):  # where the registry would not have such a schema either
            written.append(bomb(stage.stack.registry_url, random, model, what, depth))
            names.append(f"{what} to {model.place.topic}")
    forge(stage.recorder, stage.stack.bootstrap, written)
    yield f"{len(written)} bombs: {', '.join(names)}"


def bomb(registry_url: str, random: Random, model: Record, what: str, depth: int = 40_000) -> Raw:
    """Return ``model`` as a bomb of the kind ``what``, whose schema is registered for it.

    Raises:
        SchemaRegistryError: the registry refuses the schema.
    """
    extra, tail = _bombs(depth)[what]
    with SchemaRegistryClient(trust.registry(registry_url)) as registry:
        found = registry.get_latest_version(f"{model.place.topic}-{model.headers['message-type'].decode()}")
        schema = json.loads(found.schema.schema_str or "{}")
        schema["fields"] = [*schema["fields"], extra]
        schema_id = registry.register_schema(f"bomb-{uuid.uuid4()}", Schema(json.dumps(schema), "AVRO"))
    value = struct.pack(">bI", 0, schema_id) + (model.value or b"")[5:] + tail
    return model.place.topic, model.key, value, _headers(random, model)


@contextmanager
def poison_values(stage: Stage, random: Random) -> Iterator[str]:
    """Write records that are good Avro, alone and in crowds, whose numbers or texts no service may obey or store."""
    written: list[Raw] = []
    with SchemaRegistryClient(trust.registry(stage.stack.registry_url)) as registry:
        for model in _models(stage, random):
            written += [_forged(registry, random, model) for _ in range(random.choice([1, 2, 15]))]
    random.shuffle(written)
    forge(stage.recorder, stage.stack.bootstrap, written)
    yield f"{len(written)} records with numbers out of their limits, or texts that are none"


def _forged(registry: SchemaRegistryClient, random: Random, model: Record) -> Raw:
    value = model.value or b""
    found = registry.get_latest_version(f"{model.place.topic}-{model.headers['message-type'].decode()}")
    schema = fastavro.parse_schema(json.loads(found.schema.schema_str or "{}"))
    fields: Any = fastavro.schemaless_reader(io.BytesIO(value[5:]), schema, None)
    if random.random() < 0.5:
        fields["order_id"] = random.randrange(10**11, 10**12)
    choices = ["order_id", *_LIMITED.get(model.type, ()), *filter(None, [_WITH_TEXT.get(model.type)])]
    field = random.choice(choices)
    text = field == _WITH_TEXT.get(model.type)
    fields[field] = _PLACEHOLDER if text else random.choice(_NO_NUMBERS[: -1 if field == "price" else None])
    out = io.BytesIO()
    fastavro.schemaless_writer(out, schema, fields)
    body = value[:5] + out.getvalue().replace(_PLACEHOLDER.encode(), random.choice(_NO_TEXT))
    return model.place.topic, str(fields["order_id"]).encode(), body, _headers(random, model)


def _models(stage: Stage, random: Random) -> list[Record]:
    """Return a good record of each topic that has one, in chance order."""
    known = [record for record in list(stage.recorder.tape.records) if record.type]
    forged = stage.recorder.evidence.forged
    by_topic = {topic: [r for r in known if r.place.topic == topic and r.message_id not in forged] for topic in TOPICS}
    return [random.choice(by_topic[topic]) for topic in random.sample(TOPICS, len(TOPICS)) if by_topic[topic]]


def _headers(random: Random, model: Record) -> Mapping[str, bytes]:
    message_id = str(uuid.UUID(int=random.getrandbits(128), version=4)).encode()
    kept = model.headers if random.random() < 0.5 else {"message-type": model.headers["message-type"]}
    return {**kept, "message-id": message_id}


def forge(recorder: Recorder, bootstrap: str, written: Sequence[Raw]) -> None:
    """Write records that no service wrote, and say so."""
    recorder.evidence.forged |= {headers["message-id"].decode(errors="replace") for _, _, _, headers in written}
    write(bootstrap, written)
