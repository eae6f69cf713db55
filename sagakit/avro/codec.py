"""Records to bytes and back, in the registry's wire format: a zero byte, a 4-byte schema id, Avro binary.

The registry gives ids and schemas; fastavro encodes and decodes, because the registry client's own (de)serializers take
three times as long. Format: https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/#wire-format
"""

import io
import struct
import time
from collections.abc import Iterable, Mapping
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient

from sagakit.avro import untrusted_values
from sagakit.avro.schema_ids import FINGERPRINT_LENGTH, Schemas
from sagakit.avro.untrusted_schemas import Writer
from sagakit.errors import Poison, Unavailable
from sagakit.messages import MESSAGE_TYPE, SCHEMA_FINGERPRINT, Encoded, Outgoing
from sagakit.records import Record
from sagakit.trace_context import if_recorded
from sagakit.tracing.messages import created

_HEADER = struct.Struct(">bI")
LARGEST_VALUE = 65_536
"""Bytes of a message's value. Our own records need a twentieth of it; the limit bounds what an attacker can send."""


class Codec:
    """Encodes and decodes the record types of the contracts, once `load` has succeeded. Never registers a schema."""

    def __init__(self, registry: SchemaRegistryClient, records: Iterable[type[Record]]) -> None:
        """Make a codec for ``records``, each on its own ``TOPIC``."""
        self._records = {record.FULL_NAME: record for record in records}
        self._schemas = Schemas(registry, self._records)
        self._own: dict[tuple[str, bytes | None, bytes | None], tuple[Writer, type[Record]]] = {
            (record.TOPIC, name.encode(), self._schemas.fingerprints[name]): (
                self._schemas.own_writers[name],
                record,
            )
            for name, record in self._records.items()
        }
        """By topic, type and fingerprint: how to read a message that this process could have written itself."""

    def load(self) -> None:
        """Look up the id of every record type.

        Raises:
            Unavailable: the registry is away, or a schema is not registered yet.
        """
        self._schemas.load()

    def refresh(self) -> None:
        """Look the ids up again, in any thread: a rebuilt registry has others. Raises what `load` raises."""
        self._schemas.refresh()

    def forget(self) -> None:
        """Forget what the registry has returned for schemas that are not our own."""
        self._schemas.forget()

    def encode(self, message: Outgoing) -> Encoded:
        """Turn a record into a Kafka message.

        Raises:
            Unavailable: `load` has not succeeded yet.
            ValueError: a value does not fit its Avro type.
        """
        record = message.record
        name = record.FULL_NAME
        schema_id = self._schemas.ids.get(name)
        if schema_id is None:
            msg = "schemas are not looked up yet"
            raise Unavailable(msg)
        out = io.BytesIO()
        out.write(_HEADER.pack(0, schema_id))
        fastavro.schemaless_writer(out, self._schemas.own[name], record.to_avro())
        trace, export = created(record.TOPIC, message.beneath)
        headers = (*message.headers(trace), (SCHEMA_FINGERPRINT, self._schemas.fingerprints[name]))
        return Encoded(record.TOPIC, b"%d" % record.key, out.getvalue(), headers, if_recorded(trace), export)

    def decode(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Mapping[str, bytes | None],
        lay_at: float | None = None,
    ) -> Record:
        """Turn a Kafka message into its record.

        It lay in Kafka at ``lay_at``, by the monotonic clock; by default now. So its schema was registered by then, and
        what the registry has said since is not asked again.

        Raises:
            Poison: it is not one of the contracts' messages, or not on its topic.
            Unavailable: the registry is needed for its schema, and away.
        """
        if value is None:
            raise Poison("NULL_VALUE", "the message has no value")
        own = self._own.get((topic, headers.get(MESSAGE_TYPE), headers.get(SCHEMA_FINGERPRINT)))
        if own:
            _must_be_framed(value)
            writer, record_type = own
            record = _read(value, writer, writer.schema, record_type)
        else:
            record = self._decode_by_registry(topic, value, headers, time.monotonic() if lay_at is None else lay_at)
        if key != b"%d" % record.key:
            raise Poison("BAD_KEY", f"the key is not the record's own, {record.key}")
        return record

    def _decode_by_registry(
        self, topic: str, value: bytes, headers: Mapping[str, bytes | None], lay_at: float
    ) -> Record:
        named = headers.get(MESSAGE_TYPE)
        if named is None:
            raise Poison("NO_MESSAGE_TYPE", f"the header {MESSAGE_TYPE} is missing")
        name = named.decode(errors="replace")
        record_type = self._records.get(name)
        if record_type is None or topic != record_type.TOPIC:
            raise Poison("TYPE_NOT_ALLOWED", f"{name[:200]!r} does not belong on the topic {topic}")
        _must_be_framed(value)
        schema_id: int = _HEADER.unpack_from(value)[1]
        wanted = headers.get(SCHEMA_FINGERPRINT)
        if wanted and len(wanted) != FINGERPRINT_LENGTH:  # another program's, of another kind
            wanted = None
        writer, reader = self._schemas.writer(schema_id, name, wanted, lay_at), self._schemas.own[name]
        try:
            return _read(value, writer, reader, record_type)
        except Poison:
            if wanted or not self._schemas.changed(schema_id, name, writer, lay_at):
                raise
            return _read(value, self._schemas.writer(schema_id, name, None, lay_at), reader, record_type)


def _must_be_framed(value: bytes) -> None:
    if len(value) <= _HEADER.size or value[0] != 0:
        raise Poison("NOT_FRAMED", "the value does not begin with a zero byte and a schema id")
    if len(value) > LARGEST_VALUE:
        raise Poison("TOO_LARGE", f"the value has {len(value)} bytes, more than {LARGEST_VALUE}")


def _read(value: bytes, writer: Writer, reader: Any, record_type: type[Record]) -> Record:  # noqa: ANN401 - fastavro's
    own = writer.schema is reader
    body = io.BytesIO(value)
    body.seek(_HEADER.size)
    try:
        # fastavro checks what it reads by our own schemas, which are flat. It does not check what it skips of others.
        if not own or untrusted_values.may_be_overlong(value):
            untrusted_values.check(value, _HEADER.size, writer)
        # Our own schema needs no resolution, which takes longer than the reading itself.
        avro: Any = fastavro.schemaless_reader(body, writer.schema, None if own else reader)
        record = record_type.from_avro(avro)
        beyond = record.out_of_range()
    except Exception as error:  # on invalid bytes fastavro raises all kinds of errors
        raise Poison("UNDECODABLE", f"not a value of the schema that it names: {error!r:.200}") from error
    if body.tell() != len(value):
        raise Poison("UNDECODABLE", f"{len(value) - body.tell()} bytes are left over after the record")
    if beyond:
        raise Poison("OUT_OF_RANGE", beyond)
    return record
