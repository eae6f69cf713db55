"""What travels over Kafka: typed records, and the bytes and headers they become."""

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, Self, TypeAlias, TypeVar

from chassis.pipeline import Transaction
from chassis.tracing import child_of

MESSAGE_ID = "message-id"
MESSAGE_TYPE = "message-type"
CAUSATION_ID = "causation-id"
SCHEMA_FINGERPRINT = "schema-fingerprint"
TRACEPARENT = "traceparent"
_ID = re.compile(rb"[!-~]{1,100}")


class Record(Protocol):
    """An Avro record as a Python class; ``gen/`` has one for every record type of the contracts."""

    TOPIC: ClassVar[str]
    FULL_NAME: ClassVar[str]
    SCHEMA: ClassVar[str]

    @property
    def key(self) -> int:
        """The Kafka key, written in decimal on the wire."""
        ...

    def to_avro(self) -> dict[str, object]:
        """Return what an Avro encoder takes."""
        ...

    @classmethod
    def from_avro(cls, value: Mapping[str, Any]) -> Self:
        """Build the record from what an Avro decoder gives."""
        ...

    def out_of_range(self) -> str | None:
        """Return, in words, what is outside the limits of the contracts; None where nothing is."""
        ...


def same(one: Record, other: Record) -> bool:
    """Say whether two records of one type tell the same, in the fields that both of their writers knew.

    A field with a default may be one that the contracts have gained or lost since: who wrote a record, or kept it, may
    not have known the field, and then the default is read. So where either record has the default, the field says
    nothing against them.
    """
    if one == other:
        return True
    these, those, untold = one.to_avro(), other.to_avro(), _untold(type(one))
    return all(this == those[name] or not untold[name].isdisjoint((this, those[name])) for name, this in these.items())


@cache
def _untold(record_type: type[Record]) -> dict[str, frozenset[object]]:
    """Return, by field, the values that may stand for what was not known: its default, and its enum's."""
    fields = json.loads(record_type.SCHEMA)["fields"]
    return {field["name"]: frozenset(_defaults(field)) for field in fields}


def _defaults(field: Mapping[str, Any]) -> Iterator[object]:
    if "default" in field:
        yield field["default"]
    types = field["type"] if isinstance(field["type"], list) else [field["type"]]
    yield from (one["default"] for one in types if isinstance(one, dict) and "default" in one)


R_co = TypeVar("R_co", bound=Record, covariant=True)


class Message(NamedTuple, Generic[R_co]):
    """A record that was consumed, with where it came from."""

    record: R_co
    topic: str
    partition: int
    offset: int
    message_id: str
    """What it calls itself, as `id_of` has it."""
    traceparent: str | None


class Outgoing(NamedTuple):
    """A record to publish, with the message that caused it or, at the origin, the caller's trace."""

    record: Record
    cause: Message[Record] | None = None
    traceparent: str | None = None

    def headers(self) -> tuple[tuple[str, bytes], ...]:
        """Return the headers of a new message: its id, its type, its trace and its cause."""
        cause = self.cause
        headers = (
            (MESSAGE_ID, _message_id().encode()),
            (MESSAGE_TYPE, self.record.FULL_NAME.encode()),
            (TRACEPARENT, child_of(cause.traceparent if cause else self.traceparent).encode()),
        )
        return (*headers, (CAUSATION_ID, cause.message_id.encode())) if cause else headers


def id_of(headers: Mapping[str, bytes | None], topic: str, partition: int, offset: int) -> str:
    """Return a consumed message's id, which goes into histories and into the headers of what it brings about.

    Where it has none of up to 100 printable characters, it is called by its place, ``<topic>-<partition>-<offset>``.
    """
    given = headers.get(MESSAGE_ID)
    return given.decode() if given and _ID.fullmatch(given) else f"{topic}-{partition}-{offset}"


def _message_id() -> str:
    """Return a UUID of version 4. It only has to be unique, so no random bytes are asked of the kernel for it."""
    drawn = f"{random.getrandbits(128):032x}"
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-8{drawn[17:20]}-{drawn[20:]}"


class Encoded(NamedTuple):
    """A message as Kafka takes it."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


Handle: TypeAlias = Callable[[Sequence[Message[Record]], Transaction], list[Outgoing]]
"""A service's reaction to a batch: effects go into the transaction, what it returns is published after the commit."""
