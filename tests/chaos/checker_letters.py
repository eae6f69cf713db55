"""Invariant (18): dead letters are true copies with a known reason, one for each message that is parked."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from tests.chaos.checker_common import Case, Violation
from tests.chaos.evidence import DeadLetter, Record

REASONS = frozenset(
    (
        "NULL_VALUE", "NOT_FRAMED", "UNDECODABLE", "NO_MESSAGE_TYPE", "TYPE_NOT_ALLOWED", "TYPE_MISMATCH",
        "UNKNOWN_SCHEMA", "NOT_AVRO", "SCHEMA_REFUSED", "TOO_LARGE", "OUT_OF_RANGE", "BAD_KEY", "BAD_HEADERS",
        "UNREADABLE", "UNKNOWN_ORDER", "UNKNOWN_SAGA", "REUSED_ID", "NOT_HANDLED", "UNSTORABLE", "UNPUBLISHABLE",
        "HANDLER_ERROR",
    )
)  # fmt: skip
"""What the documents say that a message may be parked for."""
_DEPEND_ON_HISTORY = frozenset({"UNKNOWN_ORDER", "UNKNOWN_SAGA", "REUSED_ID"})
"""A database that went back may find so once, and not again."""
_ADDED = "dead-letter-"
_OF_A_PLACE = re.compile(r"(?P<place>.+-\d+-\d+)@[0-9a-f]{12}")
_OF_A_CONTENT = re.compile(r"(?P<topic>.+)-repeated-[0-9a-f]{32}-round-\d+")


def letters_are_true(case: Case) -> Iterator[Violation]:
    """(18) Exactly one letter for each parked message; it names its source and a reason, and is the source's copy."""
    lying: dict[tuple[str, int, int], list[Record]] = defaultdict(list)
    last: dict[tuple[str, int], int] = defaultdict(lambda: -1)
    for record in case.evidence.records:
        place = record.place
        lying[place.topic, place.partition, place.offset].append(record)
        last[place.topic, place.partition] = max(place.offset, last[place.topic, place.partition])
    for letter in case.evidence.dead_letters:
        yield from _headers(letter)
        if letter.offset <= last[letter.topic, letter.partition]:  # else it was parked after all records were read
            yield from _copy(case, letter, lying[_source(letter)])
    yield from _number(case)


def _source(letter: DeadLetter) -> tuple[str, int, int]:
    return letter.topic, letter.partition, letter.offset


def _named(letter: DeadLetter) -> str:
    return f"{letter.group}'s letter of {letter.topic}-{letter.partition}-{letter.offset}"


def _headers(letter: DeadLetter) -> Iterator[Violation]:
    if letter.reason not in REASONS:
        yield Violation(18, f"{_named(letter)} has the reason {letter.reason!r}, which is not documented")
    for name in ("error", "time", "round"):
        if not letter.headers.get(f"{_ADDED}{name}"):
            yield Violation(18, f"{_named(letter)} does not say its {name}")
    key = letter.key.decode(errors="replace")
    of_content, of_place = _OF_A_CONTENT.fullmatch(key), _OF_A_PLACE.fullmatch(key)
    names_source = of_place is not None and of_place["place"] == f"{letter.topic}-{letter.partition}-{letter.offset}"
    stands_for_all = of_content is not None and of_content["topic"] == letter.topic and letter.reason == "REUSED_ID"
    if not names_source and not stands_for_all:
        yield Violation(18, f"{_named(letter)} has the key {key!r}")


def _copy(case: Case, letter: DeadLetter, lying: list[Record]) -> Iterator[Violation]:
    """See that one of the records ``lying`` where the letter says that it comes from is the one that it copies."""
    if any(_is_copy(letter, record) for record in lying):
        return
    if lying:
        yield Violation(18, f"{_named(letter)} is no copy of what lies there")
    elif not case.incarnation[letter.topic]:  # else it may have gone with its topic, before anybody saw it
        yield Violation(18, f"{_named(letter)} names a place where nothing lies")


def _is_copy(letter: DeadLetter, record: Record) -> bool:
    value = record.value or b""
    omitted = letter.headers.get(f"{_ADDED}omitted")
    if omitted is not None:  # the dead-letter topic does not hold it whole
        return letter.value == b"" and omitted == str(len(value)).encode()
    was_null = letter.headers.get(f"{_ADDED}null-value") == b"true"
    same_key = letter.headers.get(f"{_ADDED}key") == record.key
    same_headers = _own(letter.headers) == _own(record.headers)
    return letter.value == value and was_null == (record.value is None) and same_key and same_headers


def _own(headers: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the headers that a message had before it was ever parked."""
    return {name: value for name, value in headers.items() if not name.startswith(_ADDED)}


def _number(case: Case) -> Iterator[Violation]:
    keys: dict[tuple[object, ...], set[bytes]] = defaultdict(set)
    for letter in case.evidence.dead_letters:
        forgetful = letter.reason in _DEPEND_ON_HISTORY and case.went_back(letter.group)
        if not forgetful:
            message = (letter.value, frozenset(_own(letter.headers).items()))
            keys[letter.group, *_source(letter), message].add(letter.key)
    for (group, topic, partition, offset, _), found in keys.items():
        if len(found) > 1:
            yield Violation(18, f"{topic}-{partition}-{offset} was parked by {group} under {len(found)} keys")
