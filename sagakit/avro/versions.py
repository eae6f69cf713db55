"""The registered versions of a record type: the schemas that its messages may be written with.

Ids are the registry's, shared by all its subjects. If an id alone decided, whoever may register anything could choose
the schema that our messages are read with. So an id counts only where it stands under the subject of the message's
topic and type. And the registry is asked for that subject, not for the id: a flood of invented ids is one question.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import fastavro
from confluent_kafka.schema_registry import RegisteredSchema, Schema, SchemaRegistryClient

from sagakit.avro.registry import ask, must_have
from sagakit.avro.untrusted_schemas import Writer, examine
from sagakit.errors import Poison, Unavailable

NEVER = float("-inf")
"""When what was never asked was asked."""
_A_SECOND = 50
_AT_ONCE = 25


@dataclass(frozen=True)
class Versions:
    """Those of one record type, as far as they are known."""

    name: str
    """The record type's full name."""
    by_id: Mapping[int, Writer | Poison]
    """The schema of each version, or why nothing is read with it."""
    by_fingerprint: Mapping[bytes, Writer]
    """The schemas that have the record type's name; the reader's own is always there."""
    asked: float = NEVER
    """When the registry was asked for all of them, by the monotonic clock."""

    def find(self, schema_id: int, wanted: bytes | None) -> Writer | None:
        """Return the schema with the ``wanted`` fingerprint, or where none is wanted the one with this id."""
        found = self.by_fingerprint.get(wanted) if wanted else self.by_id.get(schema_id)
        return found if isinstance(found, Writer) and found.name == self.name else None

    def moved(self, now: "Versions") -> dict[int, Writer]:
        """Return the ids that do not stand for the same schema ``now``, though it is still registered.

        A schema that is not registered any more was withdrawn, and is not among them.
        """
        return {
            schema_id: writer
            for schema_id, writer in self.by_id.items()
            if isinstance(writer, Writer)
            and (there := now.by_fingerprint.get(fingerprint(writer.schema)))
            and now.by_id.get(schema_id) is not there
        }


class Pace:
    """Lets a few questions through at once, and from then on so many a second; whoever comes too early waits."""

    def __init__(self) -> None:
        """Begin with none asked."""
        self._free = 0.0
        """When all that were asked have had their share of time, by the monotonic clock."""

    def wait(self) -> None:
        """Wait until one more may be asked."""
        now = time.monotonic()
        self._free = max(self._free, now) + 1 / _A_SECOND
        early = self._free - now - _AT_ONCE / _A_SECOND
        if early > 0:
            time.sleep(early)


def fingerprint(schema: Any) -> bytes:  # noqa: ANN401 - a schema as fastavro takes it
    """Return the fingerprint of ``schema`` for a message's header: CRC-64-AVRO of its canonical form, in hex."""
    canonical = fastavro.schema.to_parsing_canonical_form(schema)
    return str(fastavro.schema.fingerprint(canonical, "CRC-64-AVRO")).encode()


def registered(registry: SchemaRegistryClient, subject: str, own: Writer, wait: Callable[[], None]) -> Versions:
    """Ask ``registry`` for all versions of ``subject``, the record type of ``own``; ``wait`` before each question.

    Raises:
        SchemaRegistryError: the registry refuses, or has no such subject.
        TransportError: it cannot be reached.
        Unavailable: another server answers in its place, or there is no version at all.
    """
    asked, by_id = time.monotonic(), dict[int, Writer | Poison]()
    by_fingerprint = {fingerprint(own.schema): own}
    wait()
    numbers = ask(list, registry.get_versions, subject)
    if not numbers:
        raise Unavailable(f"the schema registry has no version of {subject}")
    for version in numbers:
        wait()
        there = ask(RegisteredSchema, registry.get_version, subject, version)
        schema_id, schema = must_have(int, there.schema_id, "id"), must_have(Schema, there.schema, "schema")
        must_have(str, schema.schema_str, "schema's text")
        try:
            writer = examine(schema)
        except Poison as error:
            by_id[schema_id] = Poison(error.reason, f"schema {schema_id} is not read: {error}")
        else:
            same = by_fingerprint.setdefault(fingerprint(writer.schema), writer) if writer.name == own.name else writer
            by_id[schema_id] = same
    return Versions(own.name, by_id, by_fingerprint, asked)
