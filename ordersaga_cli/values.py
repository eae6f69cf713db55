"""Message values for people: decoded where the schema registry knows the schema, else in hexadecimal."""

import base64
import io
import json
import struct
from datetime import date, datetime
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient

from ordersaga_cli.clients import registry_client
from ordersaga_cli.line import Failed
from sagakit.avro import untrusted_values
from sagakit.avro.codec import LARGEST_VALUE
from sagakit.avro.untrusted_schemas import examine

_HEADER = struct.Struct(">bI")


class Decoder:
    """Decodes values in the registry's wire format."""

    def __init__(self, registry: str) -> None:
        """Use the registry at this address; without one where it is empty."""
        self._registry = registry

    def decode(self, value: bytes | None) -> dict[str, Any]:
        """Return ``schema``, ``value`` and ``value_hex``: the decoded record, or the reason and the bytes."""
        if value is None:
            return {"schema": "", "value": None, "value_hex": ""}
        try:
            name, record = self._record(value)
        except Exception as error:  # noqa: BLE001 - bytes and registries fail in many ways; hexadecimal always works
            reason = error.message if isinstance(error, Failed) else " ".join(str(error).split()) or repr(error)
            return {"schema": f"not decoded: {reason[:200]}", "value": None, "value_hex": value.hex()}
        return {"schema": name, "value": record, "value_hex": ""}

    def _record(self, value: bytes) -> tuple[str, Any]:
        if len(value) <= _HEADER.size or value[0] != 0:
            raise Failed("the value does not begin with a zero byte and a schema id")
        if len(value) > LARGEST_VALUE:
            raise Failed(f"the value has {len(value)} bytes, more than {LARGEST_VALUE}")
        if not self._registry:
            raise Failed("no address of the schema registry")
        with SchemaRegistryClient(registry_client(self._registry)) as client:
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
