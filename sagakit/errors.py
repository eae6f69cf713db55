"""Errors, in families by what the caller should do.

::

    ChassisError
    ├── Refused               what was asked cannot be had: answer so, never retry
    │   ├── InvalidArgument   … because a field breaks a rule
    │   ├── NotFound          … because there is no such thing
    │   └── AlreadyExists     … because its idempotency key was used for something else
    ├── Exhausted             there is no room for it now: nothing was done, retry with a longer backoff
    ├── Unavailable           something is away for now: nothing was done, retry with backoff
    └── Poison                this message will never work: park it in the dead-letter topic
        ├── NotHeardOf        … because of what it is about nothing is known here
        └── Repeated          … and is sent again and again: one letter stands for all that say the same
"""

from typing import NamedTuple


class ChassisError(Exception):
    """The root of every error that this code raises on purpose."""


class Violation(NamedTuple):
    """One field that breaks a rule."""

    field: str
    """The field's path in the request, such as ``quantity``."""
    description: str
    """The rule that it breaks, in words."""


class Refused(ChassisError):
    """What was asked cannot be had; asking again will not help."""

    def __init__(self, reason: str, message: str) -> None:
        """Refuse with a stable ``reason`` in capitals, for programs, and a ``message`` for people."""
        super().__init__(message)
        self.reason = reason


class InvalidArgument(Refused):
    """A field of the request breaks a rule."""

    def __init__(self, *violations: Violation) -> None:
        """Refuse because of ``violations``, one at least."""
        super().__init__("INVALID_ARGUMENT", "; ".join(f"{field}: {text}" for field, text in violations))
        self.violations = violations


class NotFound(Refused):
    """There is no such thing."""


class AlreadyExists(Refused):
    """The idempotency key was used before, for something else."""


class Exhausted(ChassisError):
    """There is no room for what was asked now. Nothing was done; there will be, once what waits is worked off."""

    def __init__(self, reason: str, message: str) -> None:
        """Put off with a stable ``reason`` in capitals, for programs, and a ``message`` for people."""
        super().__init__(message)
        self.reason = reason


class Unavailable(ChassisError):
    """Something this needs is away for now. Nothing was done; it may be tried again after a while."""


class Poison(ChassisError):
    """This message will never work, however often it is tried."""

    def __init__(self, reason: str, message: str) -> None:
        """Condemn with a stable ``reason`` in capitals, for programs, and a ``message`` for people."""
        super().__init__(message)
        self.reason = reason


class NotHeardOf(Poison):
    """Nothing is known of what this message is about. While a database that went back is catching up, it will be."""


class Repeated(Poison):
    """This message will never work, and whoever sends it does so again and again, as it hears no answer."""
