"""Messages: a record that was consumed, a record to publish, and its form in bytes."""

import random
import re
from collections.abc import Callable, Mapping
from typing import Generic, NamedTuple, TypeVar

from sagakit.records import Record
from sagakit.trace_context import TraceContext, new_trace

MESSAGE_ID = "message-id"
MESSAGE_TYPE = "message-type"
CAUSATION_ID = "causation-id"
SCHEMA_FINGERPRINT = "schema-fingerprint"
_ID = re.compile(rb"[!-~]{1,100}")


R_co = TypeVar("R_co", bound=Record, covariant=True)


class Message(NamedTuple, Generic[R_co]):
    """A record that was consumed, with its place in Kafka."""

    record: R_co
    topic: str
    partition: int
    offset: int
    message_id: str
    """Its id, as `id_of` returns it."""
    trace: TraceContext | None


def said_of(message_id: str, trace: TraceContext | None) -> dict[str, str]:
    """Return what a line of a log says of a message, so that it is found by its id, and by its trace if it has one."""
    return {"message_id": message_id} | ({"trace_id": trace.trace_id} if trace else {})


class Outgoing(NamedTuple):
    """A record to publish, with the message that caused it, and the trace that it goes on in, if not its cause's."""

    record: Record
    cause: Message[Record] | None = None
    trace: TraceContext | None = None

    @property
    def beneath(self) -> TraceContext | None:
        """The place in a trace where it is made."""
        return self.cause.trace if self.cause and not self.trace else self.trace

    def headers(self, trace: TraceContext | None) -> tuple[tuple[str, bytes], ...]:
        """Return the headers of a new message: its id, its type, its ``trace`` or a new one, and its cause."""
        cause = self.cause
        headers = (
            (MESSAGE_ID, _message_id().encode()),
            (MESSAGE_TYPE, self.record.FULL_NAME.encode()),
            *(trace or new_trace()).headers,
        )
        return (*headers, (CAUSATION_ID, cause.message_id.encode())) if cause else headers


def id_of(headers: Mapping[str, bytes | None], topic: str, partition: int, offset: int) -> str:
    """Return a consumed message's id, which goes into histories and, as the cause, into the headers of its answers.

    Without an id of 1 to 100 printable characters in its headers it gets ``<topic>-<partition>-<offset>``.
    """
    given = headers.get(MESSAGE_ID)
    return given.decode() if given and _ID.fullmatch(given) else f"{topic}-{partition}-{offset}"


def _message_id() -> str:
    """Return a UUID of version 4. It only has to be unique, so it needs no random bytes from the kernel."""
    drawn = f"{random.getrandbits(128):032x}"
    return f"{drawn[:8]}-{drawn[8:12]}-4{drawn[13:16]}-8{drawn[17:20]}-{drawn[20:]}"


class Encoded(NamedTuple):
    """A message in the form that Kafka's client takes."""

    topic: str
    key: bytes
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    recorded: TraceContext | None = None
    """The place beneath it in a trace that somebody records."""
    export: Callable[[], None] | None = None
    """Exports the span of its making, where that is recorded; for `sagakit.tracing.messages.made`."""
