"""Schemas by the registry's ids: which id to write with, and which schema to read a message with.

A registry that lost its storage is rebuilt with other ids. Then one id may stand for two schemas: running services
still write the old ids, and services that start write the new ones. So a message carries its schema's fingerprint,
which names the schema whatever the ids are. And before a message is parked because of its id, the registry is asked
again.

Fingerprints: https://avro.apache.org/docs/1.12.0/specification/#schema-fingerprints (CRC-64-AVRO)
"""

import json
import time
from collections.abc import Mapping
from typing import Any

import fastavro
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError
from httpx2 import TransportError

from sagakit.avro.registry import ask, must_have
from sagakit.avro.untrusted_schemas import Writer, examine
from sagakit.errors import Poison, Unavailable
from sagakit.families import Family, family_of
from sagakit.records import Record
from sagakit.runtime.logs import logger

log = logger("schemas")

_AGAIN_SECONDS = 10.0
"""How long an answer holds that has messages parked: many bad messages must not become many questions."""
_MOST_ASKED = 10_000
FINGERPRINT_LENGTH = 16
"""Digits of a fingerprint."""


def subject_of(topic: str, full_name: str) -> str:
    """Return the registry's subject for a record type on a topic (``TopicRecordNameStrategy``)."""
    return f"{topic}-{full_name}"


def fingerprint(schema: Any) -> bytes:  # noqa: ANN401 - a schema as fastavro takes it
    """Return the fingerprint of ``schema`` for a message's header: CRC-64-AVRO of its canonical form, in hex."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return str(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")).encode()


class Schemas:
    """The schemas of some record types. All is used by one thread, but `refresh` may run in another."""

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
        self._writers: dict[int, Writer | Poison] = {}
        """The registry's schema of each id, or why we do not read with it."""
        self._before: dict[tuple[int, str], Writer] = {}
        """The schemas that ids stood for before they moved."""
        self._known = {(name, self.fingerprints[name]): writer for name, writer in self.own_writers.items()}
        """By record type and fingerprint."""
        self._asked: dict[object, float] = {}

    def load(self) -> None:
        """Look up the id of every record type that has none yet.

        Raises:
            Unavailable: the registry is away, or a schema is not registered yet.
        """
        self._ask_anew()
        for name in self._records.keys() - self.ids.keys():
            self._take(name, self._look_up(name))

    def refresh(self) -> None:
        """Look all ids up again, and use the new ones. Raises what `load` raises; then no id changes."""
        self._ask_anew()
        found = {name: self._look_up(name) for name in self._records}
        moved = {name: schema_id for name, schema_id in found.items() if self.ids.get(name) != schema_id}
        if moved:
            log.warning("schema ids have moved", ids=moved)
            former, self._writers = self._writers, {}
            self._before |= {(n, one.name): one for n, one in former.items() if isinstance(one, Writer)}
            for name, schema_id in found.items():
                self._take(name, schema_id)

    def forget(self) -> None:
        """Forget what the registry has returned for ids that are not our own, so that it is asked again."""
        self._ask_anew()
        self._asked.clear()
        self._writers = {self.ids[name]: self.own_writers[name] for name in self.ids}

    def writer(self, schema_id: int, name: str, wanted: bytes | None) -> Writer:
        """Return the schema that a message was written with: of its ``schema_id``, record type and fingerprint.

        ``wanted`` is the fingerprint in the message's header; None where it has none.

        Raises:
            Poison: there is no such schema, or it is another type's.
            Unavailable: the registry has to be asked, and is away.
        """
        known = self._known.get((name, wanted)) if wanted else self._writers.get(schema_id)
        if isinstance(known, Writer) and known.name == name:
            return known
        found = self._fitting(self._of_id(schema_id), name, wanted)
        if not found and self._may_ask(schema_id):
            self._writers.pop(schema_id, None)
            found = self._fitting(self._of_id(schema_id), name, wanted)
        if not found and wanted:
            found = self._of_fingerprint(name, wanted)
        if not found and not wanted:
            found = self._before.get((schema_id, name))
        if not found:
            raise self._verdict(schema_id, name)
        return found

    def changed(self, schema_id: int, writer: Writer) -> bool:
        """Say whether the registry, asked again, has another schema for this id than ``writer``, which did not fit."""
        if not self._may_ask(schema_id):
            return False
        self._writers.pop(schema_id, None)
        now = self._of_id(schema_id)
        return isinstance(now, Writer) and fingerprint(now.schema) != fingerprint(writer.schema)

    def _ask_anew(self) -> None:
        """Clear the client's caches: without that it answers from memory for as long as it lives."""
        self._registry.clear_caches()  # type: ignore[no-untyped-call] # it has no annotations

    def _take(self, name: str, schema_id: int) -> None:
        self.ids[name] = schema_id
        # Our own messages can be read without a further question, also while the registry is away.
        self._writers[schema_id] = self.own_writers[name]

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

    def _fitting(self, found: Writer | Poison | None, name: str, wanted: bytes | None) -> Writer | None:
        """Return what was ``found`` if it is of the type ``name`` and has the ``wanted`` fingerprint, if any."""
        if not isinstance(found, Writer) or found.name != name:
            return None
        if wanted:
            if fingerprint(found.schema) != wanted:
                return None
            self._known[name, wanted] = found
        return found

    def _may_ask(self, what: object) -> bool:
        """Say whether the last question about ``what`` is long enough ago."""
        now = time.monotonic()
        if now - self._asked.get(what, float("-inf")) < _AGAIN_SECONDS:
            return False
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        self._asked[what] = now
        self._ask_anew()
        return True

    def _of_id(self, schema_id: int) -> Writer | Poison | None:
        """Return the schema of an id, or why we do not read with it; None where the registry has none."""
        if schema_id not in self._writers:
            try:
                found = ask(Schema, self._registry.get_schema, schema_id)
                must_have(str, found.schema_str, "schema")
                self._writers[schema_id] = examine(found)
            except Unavailable:
                self._ask_anew()
                raise
            except Poison as error:
                self._writers[schema_id] = Poison(error.reason, f"schema {schema_id} is not read: {error}")
            except (SchemaRegistryError, TransportError) as error:
                self._must_be_of_the_question(error)
                self._must_be_ready()
                return None
        return self._writers[schema_id]

    def _of_fingerprint(self, name: str, wanted: bytes) -> Writer | None:
        """Look for the fingerprint among the registered versions of a record type, the newest first."""
        if not self._may_ask((name, wanted)):
            return None
        subject = subject_of(self._records[name].TOPIC, name)
        try:
            for version in sorted(ask(list, self._registry.get_versions, subject), reverse=True):
                there = ask(RegisteredSchema, self._registry.get_version, subject, version)
                if found := self._fitting(_examined(must_have(Schema, there.schema, "schema")), name, wanted):
                    return found
        except (SchemaRegistryError, TransportError) as error:
            self._must_be_of_the_question(error)
        return None

    def _verdict(self, schema_id: int, name: str) -> Poison:
        found = self._writers.get(schema_id)
        if found is None:
            return Poison("UNKNOWN_SCHEMA", f"the schema registry has no schema {schema_id}")
        if isinstance(found, Poison):
            return Poison(found.reason, str(found))
        if found.name != name:
            return Poison("TYPE_MISMATCH", f"the header says {name}, schema {schema_id} is {found.name}")
        return Poison("TYPE_MISMATCH", f"no registered schema of {name} has the fingerprint that the header says")

    @staticmethod
    def _must_be_of_the_question(error: SchemaRegistryError | TransportError) -> None:
        """Raise `Unavailable` where ``error`` is the registry's own trouble, not its answer to the question."""
        if family_of(error) is Family.PASSING:
            reached = "fails" if isinstance(error, SchemaRegistryError) else "cannot be reached"
            msg = f"the schema registry {reached}: {error}"
            raise Unavailable(msg) from error

    def _must_be_ready(self) -> None:
        """Raise `Unavailable` where the registry has lost everything, or not loaded it yet.

        It is asked for its subjects, because the client answers earlier look-ups from its memory.
        """
        record = next(iter(self._records.values()))
        try:
            subjects = ask(list, self._registry.get_subjects)
        except (SchemaRegistryError, TransportError) as error:
            msg = f"the schema registry fails: {error}"
            raise Unavailable(msg) from error
        if subject_of(record.TOPIC, record.FULL_NAME) not in subjects:
            msg = "the schema registry is empty"
            raise Unavailable(msg)


def _examined(schema: Schema) -> Writer | None:
    try:
        return examine(schema)
    except Poison:
        return None
