"""Every error belongs to one of four families, by what is to be done about it.

This module registers Python's errors and our own. A room that speaks to a server registers that server's errors, in
its ``error_families.py``. The lists there are complete: a unit test fails where a new version of a client library
brings a code that they lack. An error that nobody registered is `Family.OURS`.
"""

from enum import Enum
from functools import singledispatch

from sagakit.errors import Exhausted, Poison, Refused, Unavailable


class Family(Enum):
    """What is to be done about an error."""

    PASSING = "passing"
    """Something is away, full, locked or not yet set up: try again later, with backoff."""
    STALE = "stale"
    """What this process remembers is out of date: forget it, connect or look up anew, and try again at once."""
    DATA = "data"
    """These values will never be accepted: park the message, refuse the call."""
    OURS = "ours"
    """A bug, or a server that misbehaves: no message is to blame, and only a person can mend it."""


@singledispatch
def family_of(error: BaseException) -> Family:  # noqa: ARG001 - it is dispatched by its type
    """Return the family of ``error``, whoever raised it; of an error that nobody registered, `Family.OURS`."""
    return Family.OURS


@family_of.register(Unavailable)
@family_of.register(Exhausted)
@family_of.register(OSError)
def _(_: BaseException) -> Family:
    return Family.PASSING


@family_of.register(Poison)
@family_of.register(Refused)
@family_of.register(UnicodeError)  # text that cannot be encoded, such as half of a surrogate pair
def _(_: BaseException) -> Family:
    return Family.DATA


def passes(error: BaseException) -> bool:
    """Say whether trying again later can help: the fault is neither in the request nor in our code.

    That includes `Family.STALE`: whoever can retry such an error at once has done so before, without success.
    """
    return family_of(error) in {Family.PASSING, Family.STALE}


@singledispatch
def met_a_lock(error: BaseException) -> bool:  # noqa: ARG001 - it is dispatched by its type
    """Say whether ``error`` means that the work met others' locks and was surely rolled back."""
    return False


def is_separable(error: BaseException) -> bool:
    """Say whether one item of a batch may be to blame for ``error``, so that each is better done alone.

    A passing error concerns all items, as when the database is away. A lock held by others may concern one only.
    """
    return not passes(error) or met_a_lock(error)
