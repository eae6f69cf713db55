"""Invariants (9), (10) and (11): what must not be noticed of broken bytes, servers that change, and strangers."""

from collections.abc import Iterator

from tests.chaos.checker_common import Case, Violation

_OURS = ("INTERNAL", "UNKNOWN")
"""The codes that blame the service: nothing that a run does to it may bring them about."""


def forgeries_alone_are_parked(case: Case) -> Iterator[Violation]:
    """(9) What was forged is parked, and nothing else: a good record waits until it can have its effect."""
    for record in case.evidence.records:
        letter, forged = case.letter(record), case.forged(record)
        named = f"{record.type or 'a record'} of order {record.order_id} at {record.place}"
        if forged and letter is None and not case.gone(record):
            yield Violation(9, f"{named} was forged, and was not parked")
        if letter is not None and not forged and record.order_id not in case.removed:
            yield Violation(9, f"{named} is good, and was parked as {letter.reason}")


def calls_are_answered(case: Case) -> Iterator[Violation]:
    """(10) No call ends with ``INTERNAL``."""
    for call in case.evidence.calls():
        if call.code in _OURS:
            yield Violation(10, f"{type(call).__name__} at {call.began:.1f} s ended with {call.code}")


def sagas_are_asked_in_time(case: Case) -> Iterator[Violation]:
    """(11) A saga that hears nothing is asked again in time."""
    for saga in case.evidence.overdue:
        yield Violation(11, f"saga {saga.order_id} was overdue by {saga.seconds:.1f} s, and was not asked again")
