"""Message values for people: decoded where the schema registry knows the schema, else in hexadecimal."""

import base64
import io
import json
import struct
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient

from sagakit.avro import untrusted_values
from sagakit.avro.codec import LARGEST_VALUE
from sagakit.avro.untrusted_schemas import examine

_HEADER = struct.Struct(">bI")


class NotShown(Exception):
    """A value cannot be decoded; the text says why."""


class Decoder:
    """Decodes values in the registry's wire format."""

    def __init__(self, registry: Mapping[str, Any] | None) -> None:
        """Use the registry whose client has these properties; none where there are none."""
        self._registry = registry

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """Return ``schema``, ``value`` and ``value_hex``: the decoded record, or the reason and the bytes."""
        if value is None:
            return {"schema": "", "value": None, "value_hex": ""}
        try:
            name, record = self._record(value)
        except Exception as error:  # noqa: BLE001 - bytes and registries fail in many ways; hexadecimal always works
            reason = " ".join(str(error).split()) or repr(error)
            return {"schema": f"not decoded: {reason[:200]}", "value": None, "value_hex": value.hex()}
        return {"schema": name, "value": record, "value_hex": ""}

    def _record(self, value: bytes) -> tuple[str, Any]:
        if len(value) <= _HEADER.size or value[0] != 0:
            raise NotShown("the value does not begin with a zero byte and a schema id")
        if len(value) > LARGEST_VALUE:
            raise NotShown(f"the value has {len(value)} bytes, more than {LARGEST_VALUE}")
        if self._registry is None:
            raise NotShown("no address of the schema registry")
        with SchemaRegistryClient(dict(self._registry)) as client:
            writer = examine(client.get_schema(_HEADER.unpack_from(value)[1]))
        # What is shown here was parked because it may mean harm: neither the schema nor the value is trusted.
        untrusted_values.check(value, _HEADER.size, writer)
        record = fastavro.schemaless_reader(io.BytesIO(value[_HEADER.size :]), writer.schema, None)
        return writer.name, json.loads(json.dumps(record, default=_plain))


def printable(content: bytes | None) -> str | None:
    """Return text as it is, and any other bytes in hexadecimal."""
    if content is None:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return f"0x{content.hex()}"
    return text if text.isprintable() else f"0x{content.hex()}"


def _plain(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)
