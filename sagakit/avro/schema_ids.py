"""What the schema registry says of schemas: the ids to write with, and what to read a message with.

A registry whose storage was lost is built anew with other ids. Then what an id means is not certain any more: services
that run on write ids of before, those that start write new ones, and one number may stand for two schemas. So a message
carries its schema's fingerprint, which says what it was written with, whatever the ids are; and before it is condemned
for its id, the registry is asked anew.

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
"""How long an answer holds that condemns messages: a flood of them must not become one of questions."""
_MOST_ASKED = 10_000
FINGERPRINT_LENGTH = 16
"""Digits of a fingerprint."""


def subject_of(topic: str, full_name: str) -> str:
    """Return the registry's subject for a record type on a topic (``TopicRecordNameStrategy``)."""
    return f"{topic}-{full_name}"


def fingerprint(schema: Any) -> bytes:  # noqa: ANN401 - a schema as fastavro takes it
    """Return the fingerprint of ``schema`` as messages carry it: CRC-64-AVRO of its parsing canonical form, in hex."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return str(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")).encode()


class Schemas:
    """The schemas of some record types, by the registry; `refresh` may run in another thread than all else."""

    def __init__(self, registry: SchemaRegistryClient, records: Mapping[str, type[Record]]) -> None:
        """Know the schemas of ``records``, by their full names, once `load` has succeeded."""
        self._registry, self._records = registry, records
        self.own = {name: fastavro.parse_schema(json.loads(record.SCHEMA)) for name, record in records.items()}
        """Each record type's schema as this process knows it."""
        self.own_writers = {name: Writer(name, schema, {}) for name, schema in self.own.items()}
        """What those messages were written with that this process could have written."""
        self.fingerprints = {name: fingerprint(schema) for name, schema in self.own.items()}
        self.ids: dict[str, int] = {}
        """The ids to write with."""
        self._writers: dict[int, Writer | Poison] = {}
        """What the registry said of ids; where a schema is not read, why."""
        self._before: dict[tuple[int, str], Writer] = {}
        """What ids stood for, before they moved."""
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
        """Look all ids up anew, and take over those that have moved. Raises what `load` does; then all stay."""
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
        """Forget what the registry has said of others' ids: it is asked anew."""
        self._ask_anew()
        self._asked.clear()
        self._writers = {self.ids[name]: self.own_writers[name] for name in self.ids}

    def writer(self, schema_id: int, name: str, told: bytes | None) -> Writer:
        """Return what a message was written with: its ``schema_id``, its record type, and what its fingerprint tells.

        Raises:
            Poison: there is no such schema, or it is another type's.
            Unavailable: the registry has to be asked, and is away.
        """
        known = self._known.get((name, told)) if told else self._writers.get(schema_id)
        if isinstance(known, Writer) and known.name == name:
            return known
        found = self._fitting(self._of_id(schema_id), name, told)
        if not found and self._may_ask(schema_id):
            self._writers.pop(schema_id, None)
            found = self._fitting(self._of_id(schema_id), name, told)
        if not found and told:
            found = self._of_fingerprint(name, told)
        if not found and not told:
            found = self._before.get((schema_id, name))
        if not found:
            raise self._verdict(schema_id, name)
        return found

    def changed(self, schema_id: int, writer: Writer) -> bool:
        """Say whether the registry, asked anew, has another schema of this id than ``writer``, which does not fit."""
        if not self._may_ask(schema_id):
            return False
        self._writers.pop(schema_id, None)
        now = self._of_id(schema_id)
        return isinstance(now, Writer) and fingerprint(now.schema) != fingerprint(writer.schema)

    def _ask_anew(self) -> None:
        """Have the client forget what it has been told: it answers from memory for as long as it lives."""
        self._registry.clear_caches()  # type: ignore[no-untyped-call] # it has no annotations

    def _take(self, name: str, schema_id: int) -> None:
        self.ids[name] = schema_id
        # What is written as it is read needs no further question, also while the registry is away.
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

    def _fitting(self, found: Writer | Poison | None, name: str, told: bytes | None) -> Writer | None:
        """Return what was ``found`` where it is of the type ``name``, and has the fingerprint that was ``told``."""
        if not isinstance(found, Writer) or found.name != name:
            return None
        if told:
            if fingerprint(found.schema) != told:
                return None
            self._known[name, told] = found
        return found

    def _may_ask(self, what: object) -> bool:
        """Say whether it is long enough ago that this was asked."""
        now = time.monotonic()
        if now - self._asked.get(what, float("-inf")) < _AGAIN_SECONDS:
            return False
        if len(self._asked) > _MOST_ASKED:
            self._asked.clear()
        self._asked[what] = now
        self._ask_anew()
        return True

    def _of_id(self, schema_id: int) -> Writer | Poison | None:
        """Return the schema of an id, or why it is not read; None where there is none."""
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

    def _of_fingerprint(self, name: str, told: bytes) -> Writer | None:
        """Look for what has the fingerprint among the registered versions of a record type, the newest first."""
        if not self._may_ask((name, told)):
            return None
        subject = subject_of(self._records[name].TOPIC, name)
        try:
            for version in sorted(ask(list, self._registry.get_versions, subject), reverse=True):
                there = ask(RegisteredSchema, self._registry.get_version, subject, version)
                if found := self._fitting(_examined(must_have(Schema, there.schema, "schema")), name, told):
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
        """Tell what the registry says of a question from trouble of its own."""
        if family_of(error) is Family.PASSING:
            reached = "fails" if isinstance(error, SchemaRegistryError) else "cannot be reached"
            msg = f"the schema registry {reached}: {error}"
            raise Unavailable(msg) from error

    def _must_be_ready(self) -> None:
        """Tell a registry that does not know one id from one that has lost, or not loaded, everything.

        It is asked for its subjects, because the client answers look-ups that succeeded once from its memory.
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
