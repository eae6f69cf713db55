"""A dead letter: a message that cannot be processed, byte for byte, with its source and the reason.

This module writes and reads the form of a letter. `sagakit.dead_letters.box` is for operators.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import chain

from confluent_kafka import KafkaException
from confluent_kafka import Message as KafkaMessage

from sagakit.errors import Poison, Repeated
from sagakit.families import Family, family_of
from sagakit.kafka.consumed import Place, headers_of, source
from sagakit.messages import MESSAGE_TYPE, Encoded, id_of, said_of
from sagakit.runtime import metrics
from sagakit.runtime.logs import logger
from sagakit.trace_context import if_recorded, trace_of

log = logger("dead_letters")

PREFIX = "dead-letter-"
"""The beginning of every header that parking adds."""
OMITTED = "dead-letter-omitted"
"""Header: the value's length in bytes, where the value and the long headers did not fit into the topic."""
ROUND = "dead-letter-round"
"""Header: how often the message has been parked, in decimal. A replayed message carries it, so counting goes on."""
HANDLER_ERROR = "HANDLER_ERROR"
"""Reason: the handler failed twice on this message alone."""
UNSTORABLE = "UNSTORABLE"
"""Reason: the database refuses a value of the message."""
UNPUBLISHABLE = "UNPUBLISHABLE"
"""Reason: Kafka refuses the answer to the message."""
REASONS = (
    "NULL_VALUE", "NOT_FRAMED", "UNDECODABLE", "NO_MESSAGE_TYPE", "TYPE_NOT_ALLOWED", "TYPE_MISMATCH",
    "UNKNOWN_SCHEMA", "NOT_AVRO", "SCHEMA_REFUSED", "TOO_LARGE", "OUT_OF_RANGE", "BAD_HEADERS", "BAD_KEY", "UNREADABLE",
    "UNKNOWN_SAGA", "REUSED_ID", "NOT_HANDLED",
    UNSTORABLE, UNPUBLISHABLE, HANDLER_ERROR,
)  # fmt: skip
"""Why the kit parks messages: each reason that one of its `Poison` gives. A service adds those of its own handlers."""
_LONGEST_ERROR = 1000
_LONGEST_SHORT = 2000
_MOST_SHORT = 100
_KEY = re.compile(r"(?P<topic>[A-Za-z0-9._-]{1,249})-(?P<partition>[0-9]{1,9})-(?P<offset>[0-9]{1,18})(?:@[0-9a-f]+)?")
"""Letters of earlier versions have no fingerprint. What is longer, or has other characters, is no place in Kafka."""
_FINGERPRINT_DIGITS = 12
_FRAME_BYTES = 5
"""The zero byte and the schema id before a value's content; a rebuilt registry gives other ids."""
_REPEATED = "repeated"


@dataclass(frozen=True)
class Letter:
    """One dead letter, without its value, which may be large: `DeadLetterBox.value` reads it."""

    key: bytes
    """Its key in the dead-letter topic."""
    source: Place
    """The topic, partition and offset of the original message; an empty topic where that is not known."""
    source_key: bytes | None
    """The original message's key."""
    headers: tuple[tuple[str, bytes | None], ...]
    """The original message's headers."""
    reason: str
    error: str
    time: str
    """When it was parked, ISO 8601."""
    round: int
    """How often it has been parked."""
    size: int
    """The value's length in bytes; -1 where there was none."""
    place: Place
    """The letter's own topic, partition and offset."""
    omitted: bool = False
    """Whether it was parked without its value, which was too large or cannot be read: only its topic has that."""

    @property
    def name(self) -> str:
        """Its key as text."""
        return self.key.decode(errors="backslashreplace")


def topic_of(group: str) -> str:
    """Return the dead-letter topic of a consumer group."""
    return f"{group}.dlq"


def dead_letter(group: str, message: KafkaMessage, error: Exception) -> Encoded:
    """Return the dead letter for ``message``; count and log it.

    Its key is ``<topic>-<partition>-<offset>@<fingerprint>``, or for a `Repeated` error a hash of the content. Its
    headers are the original ones and, with the prefix ``dead-letter-``, the source, the original key, the reason, the
    error's text, the time and the round; these replace those of an earlier round.
    """
    topic, partition, offset = source(message)
    reason = _reason_of(error)
    text = str(error) if isinstance(error, Poison) else f"{type(error).__name__}: {error}"
    given = headers_of(message)
    trace = trace_of(given)
    rounds = round_of(given) + 1
    metrics.DEAD_LETTERS.labels(topic, reason).inc()
    known = dict(given)
    log.error(
        "message parked",
        topic=topic,
        partition=partition,
        offset=offset,
        reason=reason,
        round=rounds,
        error=text[:200],
        **said_of(id_of(known, topic, partition, offset), trace),
    )
    headers = {
        "dead-letter-topic": topic,
        "dead-letter-partition": str(partition),
        "dead-letter-offset": str(offset),
        "dead-letter-reason": reason,
        "dead-letter-error": text[:_LONGEST_ERROR],
        "dead-letter-time": datetime.now(UTC).isoformat(),
        ROUND: str(rounds),
    }
    added = [(name, value.encode(errors="replace")) for name, value in headers.items()]
    key, value = message.key(), message.value()
    if key is not None:
        added.append(("dead-letter-key", key))
    if value is None:  # parked as an empty value, because a null would be a tombstone
        added.append(("dead-letter-null-value", b"true"))
    if isinstance(error, Repeated):
        name = _name_of_content(topic, (dict(given).get(MESSAGE_TYPE), key, (value or b"")[_FRAME_BYTES:]), rounds)
    else:
        name = f"{topic}-{partition}-{offset}@{_fingerprint(message, given)}"
    return Encoded(topic_of(group), name.encode(), value or b"", (*original(given), *added), if_recorded(trace))


def _name_of_content(topic: str, content: Iterable[bytes | None], rounds: int) -> str:
    """Return a key that is the same however often a message is sent again, so that one letter stands for all.

    The round is part of it: the tombstone of one round must not delete the letter of the next.
    """
    digest = sha256(repr(tuple(content)).encode()).hexdigest()
    return f"{topic}-{_REPEATED}-{digest[:32]}-round-{rounds}"


def _fingerprint(message: KafkaMessage, headers: list[tuple[str, bytes | None]]) -> str:
    """Return a short hash of ``message``.

    It is the same whenever the message is parked. A recreated topic may have another message at the same offset, which
    has another hash: so compaction never replaces one message's letter with another's.
    """
    _, written = message.timestamp()
    parts = [b"%d" % written, message.key(), message.value()]
    parts += chain.from_iterable((name.encode(), value) for name, value in headers)
    digest = sha256()
    for part in parts:
        digest.update(b"-" if part is None else b"%d:%b" % (len(part), part))
    return digest.hexdigest()[:_FINGERPRINT_DIGITS]


def _reason_of(error: Exception) -> str:
    if isinstance(error, Poison):
        return error.reason
    if family_of(error) is not Family.DATA:
        return HANDLER_ERROR
    return UNPUBLISHABLE if isinstance(error, KafkaException) else UNSTORABLE


def without_content(letter: Encoded) -> Encoded:
    """Return ``letter`` without its value and its long headers, where the whole does not fit into the topic.

    The header ``dead-letter-omitted`` says how many bytes the value has. The original message has it, as long as its
    topic keeps that.
    """
    short = [(name, value) for name, value in letter.headers if len(name) + len(value or b"") <= _LONGEST_SHORT]
    kept = [one for one in short if not one[0].startswith(PREFIX)][:_MOST_SHORT]
    ours = [one for one in short if one[0].startswith(PREFIX)]
    size = (OMITTED, str(len(letter.value or b"")).encode())
    return letter._replace(value=b"", headers=(*kept, *ours, size))


def is_without_content(letter: Encoded) -> bool:
    """Say whether ``letter`` comes from `without_content`."""
    return OMITTED in dict(letter.headers)


def read_letter(message: KafkaMessage) -> Letter:
    """Read a letter. A message of another program is read as one too, perhaps without a source."""
    key, value, given = message.key() or b"", message.value() or b"", _headers_or_none(message)
    head = {name: (content or b"").decode(errors="replace") for name, content in given}
    return Letter(
        key=key,
        source=_source_in(key.decode(errors="replace"), head),
        source_key=dict(given).get("dead-letter-key"),
        headers=tuple(original(given)),
        reason=head.get("dead-letter-reason", ""),
        error=head.get("dead-letter-error", ""),
        time=head.get("dead-letter-time", ""),
        round=max(1, round_of(given)),
        size=-1 if "dead-letter-null-value" in head else len(value),
        omitted=OMITTED in head,
        place=source(message),
    )


def _source_in(name: str, head: Mapping[str, str]) -> Place:
    """Return a letter's source, from its key; for a letter that stands for many, the last one's, from its headers."""
    if name.startswith(f"{head.get('dead-letter-topic')}-{_REPEATED}-"):
        name = "-".join(head.get(f"dead-letter-{part}", "") for part in ("topic", "partition", "offset"))
    found = _KEY.fullmatch(name)
    return (found["topic"], int(found["partition"]), int(found["offset"])) if found else ("", -1, -1)


def _headers_or_none(message: KafkaMessage) -> list[tuple[str, bytes | None]]:
    try:
        return headers_of(message)
    except Poison:
        return []


def original(headers: list[tuple[str, bytes | None]]) -> list[tuple[str, bytes | None]]:
    """Return those of ``headers`` that parking did not add."""
    return [(name, value) for name, value in headers if not name.startswith(PREFIX)]


def round_of(headers: list[tuple[str, bytes | None]]) -> int:
    """Return how often the message with these headers has been parked so far."""
    last = dict(headers).get(ROUND) or b""
    return int(last) if last.isdigit() and len(last) < 10 else 0  # noqa: PLR2004 - a longer one is not ours
