"""Reading records by the registry's schemas, as the documents describe the wire format."""

import io
import json
import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import fastavro
from confluent_kafka.schema_registry import SchemaRegistryClient

from tests.chaos.evidence import TOPICS
from tests.support import trust

_HEADER = struct.Struct(">bI")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Decoder:
    """Knows the contracts' schemas that the registry had when it was made, or was given to learn.

    Whoever may register a schema may make one by which a few bytes overflow the C stack of fastavro. So nothing is read
    by a schema that stands under another subject than one of a topic of ours.

    An id may come to mean another schema, where the registry was lost and made anew: a record is read by the one whose
    name its header says.
    """

    def __init__(self, registry_url: str) -> None:
        """Fetch the schemas."""
        self._schemas: dict[tuple[int, str], Any] = {}
        self._subjects: set[str] = set()
        self.learn(registry_url)

    def learn(self, registry_url: str) -> None:
        """Fetch the schemas that are registered now; what was known is not forgotten."""
        with SchemaRegistryClient(trust.registry(registry_url)) as registry:
            for subject in registry.get_subjects():
                latest = registry.get_latest_version(subject)
                schema = json.loads(latest.schema.schema_str or "{}") if latest.schema else {}
                if latest.schema_id is not None and schema.get("type") == "record":
                    name = ".".join(filter(None, [schema.get("namespace"), schema["name"]]))
                    if subject in {f"{topic}-{name}" for topic in TOPICS}:
                        self._schemas[latest.schema_id, name] = fastavro.parse_schema(schema)
                        self._subjects.add(subject)

    def decode(
        self, topic: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes]
    ) -> tuple[str, dict[str, object]]:
        """Return the record type's short name and the fields; ``("", {})`` where the record is not as it should be."""
        try:
            name = headers.get("message-type", b"").decode(errors="replace")
            fields = self._read(name, value or b"")
        except (ValueError, KeyError, EOFError, IndexError, struct.error, UnicodeDecodeError):
            return "", {}
        on_its_topic = f"{topic}-{name}" in self._subjects
        if not on_its_topic or key != str(fields.get("order_id")).encode():
            return "", {}
        return name.rpartition(".")[2], fields

    def _read(self, name: str, value: bytes) -> dict[str, object]:
        magic, schema_id = _HEADER.unpack_from(value)
        if magic != 0:
            raise ValueError("it does not begin with a zero byte")
        schema = self._schemas[schema_id, name]
        stream = io.BytesIO(value[_HEADER.size :])
        found = fastavro.schemaless_reader(stream, schema, None)
        if stream.read(1) or not isinstance(found, dict):
            raise ValueError("something is left over")
        return {field: micros(content) for field, content in found.items()}


def micros(content: object) -> object:
    """Return a time as microseconds since 1970, and anything else as it is."""
    return (content - _EPOCH) // timedelta(microseconds=1) if isinstance(content, datetime) else content
