"""Records to bytes and back, in the registry's wire format: a zero byte, a 4-byte schema id, Avro binary.

The registry gives ids and schemas; fastavro does the bytes, because the registry client's own (de)serializers cost
three times as much. Format: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/#wire-format
"""

import io
import json
import struct
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from chassis import avro_values
from chassis.avro_schemas import Writer, examine
from chassis.errors import Poison, Unavailable
from chassis.messages import MESSAGE_TYPE, Encoded, Outgoing, Record

_HEADER = struct.Struct(">bI")
_NOT_FOUND = 404
LARGEST_VALUE = 65_536
"""Bytes of a message's value. The contracts' own need a twentieth of it, and an attack gets no more to work with."""


def subject_of(topic: str, full_name: str) -> str:
    """Return the registry's subject for a record type on a topic (``TopicRecordNameStrategy``)."""
    return f"{topic}-{full_name}"


class Codec:
    """Encodes and decodes the record types of the contracts, once `load` has succeeded. Never registers a schema."""

    def __init__(self, registry: SchemaRegistryClient, records: Iterable[type[Record]]) -> None:
        """Make a codec for ``records``, each on the topic it names."""
        self._registry = registry
        self._records = {record.FULL_NAME: record for record in records}
        self._readers = {name: fastavro.parse_schema(json.loads(r.SCHEMA)) for name, r in self._records.items()}
        self._ids: dict[str, int] = {}
        self._writers: dict[int, Writer | Poison] = {}
        """By schema id; where the schema is not read, why."""

    def load(self) -> None:
        """Look up the id of every record type.

        Raises:
            Unavailable: the registry is away, or a schema is not registered yet.
        """
        for name, record in self._records.items():
            if name not in self._ids:
                schema_id = self._look_up(record)
                self._ids[name] = schema_id
                # What is written as it is read needs no further question, also while the registry is away.
                self._writers[schema_id] = Writer(name, self._readers[name], {})

    def _look_up(self, record: type[Record]) -> int:
        subject = subject_of(record.TOPIC, record.FULL_NAME)
        try:
            registered = self._registry.lookup_schema(subject, Schema(record.SCHEMA, "AVRO"))
        except SchemaRegistryError as error:
            msg = f"the schema registry does not know this version of {subject} ({error.error_message})"
            raise Unavailable(msg) from error
        except TransportError as error:
            msg = f"the schema registry cannot be reached: {error}"
            raise Unavailable(msg) from error
        if registered.schema_id is None:
            msg = f"the schema registry gave no id for {subject}"
            raise Unavailable(msg)
        return registered.schema_id

    def encode(self, message: Outgoing) -> Encoded:
        """Turn a record into a Kafka message.

        Raises:
            Unavailable: `load` has not succeeded yet.
            ValueError: a value does not fit its Avro type.
        """
        record = message.record
        schema_id = self._ids.get(record.FULL_NAME)
        if schema_id is None:
            msg = "schemas are not looked up yet"
            raise Unavailable(msg)
        out = io.BytesIO()
        out.write(_HEADER.pack(0, schema_id))
        fastavro.schemaless_writer(out, self._readers[record.FULL_NAME], record.to_avro())
        return Encoded(record.TOPIC, str(record.key).encode(), out.getvalue(), message.headers())

    def decode(self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes | None]) -> Record:
        """Turn a Kafka message into its record.

        Raises:
            Poison: it is not one of the contracts' messages, or not on its topic.
            Unavailable: the registry is needed for its schema, and away.
        """
        if value is None:
            raise Poison("NULL_VALUE", "the message has no value")
        named = headers.get(MESSAGE_TYPE)
        if named is None:
            raise Poison("NO_MESSAGE_TYPE", f"the header {MESSAGE_TYPE} is missing")
        name = named.decode(errors="replace")
        record_type = self._records.get(name)
        if record_type is None or topic != record_type.TOPIC:
            raise Poison("TYPE_NOT_ALLOWED", f"{name[:200]!r} does not belong on the topic {topic}")
        if len(value) <= _HEADER.size or value[0] != 0:
            raise Poison("NOT_FRAMED", "the value does not begin with a zero byte and a schema id")
        if len(value) > LARGEST_VALUE:
            raise Poison("TOO_LARGE", f"the value has {len(value)} bytes, more than {LARGEST_VALUE}")
        schema_id: int = _HEADER.unpack_from(value)[1]
        writer = self._writer(schema_id)
        if writer.name != name:
            raise Poison("TYPE_MISMATCH", f"the header says {name}, schema {schema_id} is {writer.name}")
        record = _read(value, writer, self._readers[name], record_type)
        if key != str(record.key).encode():
            raise Poison("BAD_KEY", f"the key is not the record's own, {record.key}")
        return record

    def _writer(self, schema_id: int) -> Writer:
        if schema_id not in self._writers:
            try:
                schema = self._registry.get_schema(schema_id)
            except SchemaRegistryError as error:
                if error.http_status_code != _NOT_FOUND:
                    msg = f"the schema registry fails: {error}"
                    raise Unavailable(msg) from error
                self._must_be_ready()
                raise Poison("UNKNOWN_SCHEMA", f"the schema registry has no schema {schema_id}") from error
            except TransportError as error:
                msg = f"the schema registry cannot be reached: {error}"
                raise Unavailable(msg) from error
            self._writers[schema_id] = _examined(schema_id, schema)
        writer = self._writers[schema_id]
        if isinstance(writer, Poison):
            raise Poison(writer.reason, str(writer))
        return writer

    def _must_be_ready(self) -> None:
        """Tell a registry that does not know one id from one that has lost, or not loaded, everything.

        It is asked for its subjects, because the client answers look-ups that succeeded once from its memory.
        """
        record = next(iter(self._records.values()))
        try:
            subjects = self._registry.get_subjects()
        except (SchemaRegistryError, TransportError) as error:
            msg = f"the schema registry fails: {error}"
            raise Unavailable(msg) from error
        if subject_of(record.TOPIC, record.FULL_NAME) not in subjects:
            msg = "the schema registry is empty"
            raise Unavailable(msg)


def _examined(schema_id: int, schema: Schema) -> Writer | Poison:
    try:
        return examine(schema)
    except Poison as error:
        return Poison(error.reason, f"schema {schema_id} is not read: {error}")


def _read(value: bytes, writer: Writer, reader: Any, record_type: type[Record]) -> Record:  # noqa: ANN401 - fastavro's
    own = writer.schema is reader
    body = io.BytesIO(value)
    body.seek(_HEADER.size)
    try:
        # fastavro checks what it reads of our own schemas, which are flat, but not what it skips of others.
        if not own or avro_values.OVERLONG.search(value):
            avro_values.check(value, _HEADER.size, writer)
        # Read as it was written it needs no resolution, which takes longer than the reading.
        avro: Any = fastavro.schemaless_reader(body, writer.schema, None if own else reader)
        record = record_type.from_avro(avro)
    except Exception as error:  # rubbish makes fastavro raise whatever its parsing trips over
        raise Poison("UNDECODABLE", f"not the Avro it says it is: {error!r:.200}") from error
    if body.tell() != len(value):
        raise Poison("UNDECODABLE", f"{len(value) - body.tell()} bytes are left over behind the record")
    return record
