"""Errors, as classes by what the caller should do.

::

    SagakitError
    ├── Refused               the request cannot be granted: say so, never retry
    │   ├── InvalidArgument   … because a field breaks a rule
    │   ├── NotFound          … because there is no such thing
    │   │   └── Hidden        … for who asks
    │   ├── AlreadyExists     … because its idempotency key was used for something else
    │   ├── Unauthenticated   … because it is not known who asks
    │   └── Denied            … because who asks may not
    ├── Exhausted             there is no room now: nothing was done, retry with a longer backoff
    ├── Unavailable           something is away for now: nothing was done, retry with backoff
    └── Poison                this message will never work: park it in the dead-letter topic
        ├── NotHeardOf        … because nothing is known here of its subject
        └── Repeated          … and its sender repeats it: one letter stands for all of them
"""

from typing import NamedTuple


class SagakitError(Exception):
    """The root of every error that the kit raises on purpose."""


class Violation(NamedTuple):
    """One field that breaks a rule."""

    field: str
    """The field's path in the request, such as ``amount``."""
    description: str
    """The rule that it breaks, in words."""


class Refused(SagakitError):
    """The request cannot be granted, and asking again will not help."""

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


class Hidden(NotFound):
    """There is such a thing, but not for who asks: the answer is as if there were none."""

    def __init__(self, reason: str, message: str, because: str) -> None:
        """Refuse as `NotFound` does. ``because`` is the reason that is counted here, and that the caller never sees."""
        super().__init__(reason, message)
        self.because = because
        self.add_note("there is one, which the caller may not see")


class AlreadyExists(Refused):
    """The idempotency key was used before, for something else."""


class Unauthenticated(Refused):
    """It is not known who asks."""


class Denied(Refused):
    """Who asks may not have this."""


class Exhausted(SagakitError):
    """There is no room for the request now. Nothing was done; a retry works once there is room again."""

    def __init__(self, reason: str, message: str, retry_seconds: float = 5.0) -> None:
        """Refuse for now with a stable ``reason`` in capitals, for programs, and a ``message`` for people.

        A retry may work in ``retry_seconds``.
        """
        super().__init__(message)
        self.reason, self.retry_seconds = reason, retry_seconds


class Unavailable(SagakitError):
    """A server that the request needs is away for now. Nothing was done; a later retry may work."""


class Poison(SagakitError):
    """This message will never work, however often it is tried."""

    def __init__(self, reason: str, message: str) -> None:
        """Give a stable ``reason`` in capitals, for programs, and a ``message`` for people."""
        super().__init__(message)
        self.reason = reason


class NotHeardOf(Poison):
    """Nothing is known of the message's subject. A database that went back may know it once it has caught up."""


class Repeated(Poison):
    """This message will never work, and its sender repeats it because it gets no answer."""
