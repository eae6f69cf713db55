"""Schemas by the registry's ids: which id to write with, and which schema to read a message with.

A registry that lost its storage is rebuilt with other ids. Then one id may stand for two schemas: running services
still write the old ids, and services that start write the new ones. So a message carries its schema's fingerprint,
which names the schema whatever the ids are. And no message is parked because of its schema before the registry was
asked for the versions of its type, at a time when the message lay in Kafka already: what a good message is written with
was registered before it was sent.

Fingerprints: https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints (CRC-64-AVRO)
"""

import json
from collections.abc import Mapping

import fastavro
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from sagakit.avro.registry import ask, must_have
from sagakit.avro.untrusted_schemas import Writer
from sagakit.avro.versions import NEVER, Pace, Versions, fingerprint, registered
from sagakit.errors import Poison, Unavailable
from sagakit.records import Record
from sagakit.runtime.logs import logger

log = logger("schemas")

FINGERPRINT_LENGTH = 16
"""Digits of a fingerprint."""


def subject_of(topic: str, full_name: str) -> str:
    """Return the registry's subject for a record type on a topic (``TopicRecordNameStrategy``)."""
    return f"{topic}-{full_name}"


class Schemas:
    """The schemas of some record types, for any thread."""

    def __init__(self, registry: SchemaRegistryClient, records: Mapping[str, type[Record]]) -> None:
        """Prepare for ``records``, by their full names; their ids are known once `load` has succeeded."""
        self._registry, self._records = registry, records
        self.own = {name: fastavro.parse_schema(json.loads(record.SCHEMA)) for name, record in records.items()}
        """Each record type's schema as this process knows it."""
        self.own_writers = {name: Writer(name, schema, {}) for name, schema in self.own.items()}
        """The same, as writers' schemas."""
        self.fingerprints = {name: fingerprint(schema) for name, schema in self.own.items()}
        self.ids: dict[str, int] = {}
        """The ids to write with."""
        self._versions = {name: self._only_own(name) for name in records}
        """What is known of each record type's registered versions."""
        self._before: dict[tuple[int, str], Writer] = {}
        """The schemas that ids stood for before they moved, by id and record type."""
        self._pace = Pace()

    def load(self) -> None:
        """Look up the id of every record type that has none yet.

        Raises:
            Unavailable: the registry is away, or a schema is not registered yet.
        """
        self._ask_anew()
        for name in self._records.keys() - self.ids.keys():
            self.ids[name] = self._look_up(name)
            # Our own messages can be read without a further question, also while the registry is away.
            self._versions[name] = self._only_own(name)

    def refresh(self) -> None:
        """Look all ids up again, and use the new ones; forget versions that were withdrawn.

        Raises what `load` raises; then nothing changes.
        """
        self._ask_anew()
        found = {name: self._look_up(name) for name in self._records}
        listed = {name: self._registered(name) for name, versions in self._versions.items() if versions.asked > NEVER}
        moved = {name: schema_id for name, schema_id in found.items() if self.ids.get(name) != schema_id}
        if moved:
            log.warning("schema ids have moved", ids=moved)
            self.ids = found
        for name in moved.keys() | listed.keys():
            self._know(name, listed.get(name) or self._only_own(name))

    def forget(self) -> None:
        """Forget what the registry has returned for schemas that are not our own, so that it is asked again."""
        self._ask_anew()
        self._versions = {name: self._only_own(name) for name in self._records}

    def writer(self, schema_id: int, name: str, wanted: bytes | None, lay_at: float) -> Writer:
        """Return the schema that a message was written with: of its ``schema_id``, record type and fingerprint.

        ``wanted`` is the fingerprint in the message's header; None where it has none. At ``lay_at``, by the monotonic
        clock, the message lay in Kafka.

        Raises:
            Poison: no such schema is registered for the record type, or it is not one to read with.
            Unavailable: the registry has to be asked, and is away.
        """
        versions = self._versions[name]
        found = versions.find(schema_id, wanted)
        if not found and versions.asked < lay_at:
            versions = self._list(name)
            found = versions.find(schema_id, wanted)
        if not found and not wanted:
            found = self._before.get((schema_id, name))
        if not found:
            raise self._verdict(schema_id, versions, wanted)
        return found

    def changed(self, schema_id: int, name: str, writer: Writer, lay_at: float) -> bool:
        """Say whether the registry, asked again, has another schema for this id than ``writer``, which did not fit."""
        if self._versions[name].asked >= lay_at:
            return False
        now = self._list(name).find(schema_id, None)
        return now is not None and fingerprint(now.schema) != fingerprint(writer.schema)

    def _only_own(self, name: str) -> Versions:
        own = self.own_writers[name]
        by_id = {self.ids[name]: own} if name in self.ids else {}
        return Versions(name, by_id, {self.fingerprints[name]: own})

    def _list(self, name: str) -> Versions:
        """Ask for all versions of a record type; from now on these are its versions.

        So a batch, all of which lay in Kafka before it is decoded, causes one look at each type, whatever it names.
        """
        self._ask_anew()
        self._know(name, versions := self._registered(name))
        return versions

    def _registered(self, name: str) -> Versions:
        """Ask for all versions of a record type.

        The subject is one of our own, which a deployment has registered. So whatever the registry says to that is no
        message's fault: where it does not know the subject, it has lost everything, or not loaded it yet.
        """
        subject = subject_of(self._records[name].TOPIC, name)
        try:
            return registered(self._registry, subject, self.own_writers[name], self._pace.wait)
        except SchemaRegistryError as error:
            msg = f"the schema registry does not give the versions of {subject} ({error.error_message})"
            raise Unavailable(msg) from error
        except TransportError as error:
            msg = f"the schema registry cannot be reached: {error}"
            raise Unavailable(msg) from error

    def _know(self, name: str, versions: Versions) -> None:
        moved = self._versions[name].moved(versions)
        self._before |= {(schema_id, name): writer for schema_id, writer in moved.items()}
        self._versions[name] = versions

    def _ask_anew(self) -> None:
        """Clear the client's caches: without that it answers from memory for as long as it lives."""
        self._registry.clear_caches()  # type: ignore[no-untyped-call] # it has no annotations

    def _look_up(self, name: str) -> int:
        record = self._records[name]
        subject = subject_of(record.TOPIC, name)
        try:
            found = ask(RegisteredSchema, self._registry.lookup_schema, subject, Schema(record.SCHEMA, "AVRO"))
        except SchemaRegistryError as error:
            msg = f"the schema registry does not know this version of {subject} ({error.error_message})"
            raise Unavailable(msg) from error
        except TransportError as error:
            msg = f"the schema registry cannot be reached: {error}"
            raise Unavailable(msg) from error
        return must_have(int, found.schema_id, "id")

    def _verdict(self, schema_id: int, versions: Versions, wanted: bytes | None) -> Poison:
        name, found = versions.name, versions.by_id.get(schema_id)
        if isinstance(found, Poison):
            return Poison(found.reason, str(found))
        others = {one: other for other, one in self.ids.items()} if found is None else {}
        is_of = found.name if found else others.get(schema_id, name)
        if is_of != name:
            return Poison("TYPE_MISMATCH", f"the header says {name}, schema {schema_id} is {is_of}")
        if found and wanted:
            return Poison("TYPE_MISMATCH", f"no registered schema of {name} has the fingerprint that the header says")
        subject = subject_of(self._records[name].TOPIC, name)
        return Poison("UNKNOWN_SCHEMA", f"schema {schema_id} is not registered under the subject {subject}")
