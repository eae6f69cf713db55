"""Every error in one of four families, by what is to be done about it.

What is nobody's but Python's or ours is placed here. A room that speaks to a server places what that server says,
in its ``error_families.py``: the lists there are complete, so a code that a new version of a client library knows and
that is not placed fails a unit test. What nobody has placed is `Family.OURS`.
"""

from enum import Enum
from functools import singledispatch

from sagakit.errors import Exhausted, Poison, Refused, Unavailable


class Family(Enum):
    """What is to be done about an error."""

    PASSING = "passing"
    """Something is away, full, locked or not yet set up: try again later, with backoff."""
    STALE = "stale"
    """What this process remembers holds no longer: forget it, connect or look up anew, and try again at once."""
    DATA = "data"
    """Just these values cannot be taken, however often they are tried: park the message, refuse the call."""
    OURS = "ours"
    """A bug, or a server that does what none should: no message is to blame, and nobody but a person can mend it."""


@singledispatch
def family_of(error: BaseException) -> Family:  # noqa: ARG001 - it is dispatched by its type
    """Return the family of ``error``, whoever raised it; what nobody has foreseen is `Family.OURS`."""
    return Family.OURS


@family_of.register(Unavailable)
@family_of.register(Exhausted)
@family_of.register(OSError)
def _(_: BaseException) -> Family:
    return Family.PASSING


@family_of.register(Poison)
@family_of.register(Refused)
@family_of.register(UnicodeError)  # text that is none, such as half of a surrogate pair
def _(_: BaseException) -> Family:
    return Family.DATA


def passes(error: BaseException) -> bool:
    """Say whether trying again later can help: the fault is neither in what was asked nor in our code.

    What is stale has then been tried again at once, by those who can, and has not come right yet.
    """
    return family_of(error) in {Family.PASSING, Family.STALE}


@singledispatch
def met_a_lock(error: BaseException) -> bool:  # noqa: ARG001 - it is dispatched by its type
    """Say whether ``error`` is that of work which is surely undone, because others have locked what it wanted."""
    return False


def is_separable(error: BaseException) -> bool:
    """Say whether ``error`` may be the trouble of one of many that were done together, so that each is better alone.

    What passes is everybody's, such as a database that is away; but for waiting in vain for what others have locked.
    """
    return not passes(error) or met_a_lock(error)
