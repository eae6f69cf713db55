"""A schema registry in memory, as far as the codec asks it."""

from collections.abc import Iterable
from typing import cast

from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient

from sagakit.avro.codec import Codec
from sagakit.avro.schema_ids import subject_of
from sagakit.records import Record


class MemoryRegistry:
    """What is registered, in place of a `SchemaRegistryClient`."""

    def __init__(self) -> None:
        """Know no schema yet."""
        self._schemas: list[tuple[str, str]] = []

    def register(self, records: Iterable[type[Record]]) -> None:
        """Register ``records``, as a deployment does."""
        for record in records:
            one = (subject_of(record.TOPIC, record.FULL_NAME), record.SCHEMA)
            self._schemas += [one] if one not in self._schemas else []

    def codec(self, records: Iterable[type[Record]]) -> Codec:
        """Return the codec of a process that knows ``records``, its schemas looked up."""
        codec = Codec(cast("SchemaRegistryClient", self), records)
        codec.load()
        return codec

    def lookup_schema(self, subject: str, schema: Schema) -> RegisteredSchema:
        """Return what ``schema`` is registered as."""
        return self._registered(self._schemas.index((subject, schema.schema_str or "")))

    def get_schema(self, schema_id: int) -> Schema:
        """Return the schema with an id."""
        return Schema(self._schemas[schema_id - 1][1], "AVRO")

    def get_versions(self, subject: str) -> list[int]:
        """Return the versions of ``subject``, the oldest first."""
        return [at + 1 for at, (one, _) in enumerate(self._schemas) if one == subject]

    def get_version(self, subject: str, version: int) -> RegisteredSchema:
        """Return one version of ``subject``."""
        if self._schemas[version - 1][0] != subject:
            raise LookupError(subject)
        return self._registered(version - 1)

    def clear_caches(self) -> None:
        """Forget nothing: nothing is cached."""

    def _registered(self, at: int) -> RegisteredSchema:
        subject, text = self._schemas[at]
        return RegisteredSchema(subject, at + 1, at + 1, None, Schema(text, "AVRO"))


def codec_of(*records: type[Record]) -> Codec:
    """Return a codec that knows ``records``, on a registry of its own."""
    registry = MemoryRegistry()
    registry.register(records)
    return registry.codec(records)
