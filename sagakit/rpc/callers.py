"""Who makes a call, and what the caller may do."""

from contextvars import ContextVar
from dataclasses import dataclass, field

from sagakit.errors import Denied

_LONGEST_NAME = 100
LONGEST_SUBJECT = 80
"""In characters; so that a name, which holds it whole, has room for a piece of the issuer."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call, by a verified token; or `ANYONE`, where no tokens are looked at."""

    subject: str
    """Who it is, to the issuer."""
    issuer: str
    """Who says so."""
    scopes: frozenset[str] = field(default=frozenset(), repr=False)
    """What the issuer lets the caller do."""
    user_id: int | None = None
    """The user that the caller is; None where the token names none."""
    expires: float | None = None
    """When the caller is nobody any more, in Unix time; None: never."""

    def may(self, scope: str) -> bool:
        """Say whether the caller has ``scope``."""
        return self is ANYONE or scope in self.scopes

    def must_have(self, scope: str) -> None:
        """Check that the caller has ``scope``.

        Raises:
            Denied: it has not.
        """
        if not self.may(scope):
            raise Denied("SCOPE_MISSING", f"the token has not the scope {scope}")

    def must_be_user(self) -> int:
        """Return the user that the caller is.

        Raises:
            Denied: it is none.
        """
        if self.user_id is None:
            raise Denied("NO_USER", "the token names no user")
        return self.user_id

    @property
    def name(self) -> str:
        """Subject and issuer, in at most 100 characters, for histories; an issuer with a longer name is cut."""
        room = _LONGEST_NAME - len(self.subject) - len(" ()")
        issuer = self.issuer if len(self.issuer) <= room else f"{self.issuer[: room - 1]}…"
        return f"{self.subject} ({issuer})"

    def signing(self, actor: str, note: str) -> tuple[str, str]:
        """Return who acts and what is noted, for a history, where the request says that ``actor`` acts, with ``note``.

        Who acts is who the token says. What the request calls itself is then a part of the note.
        """
        if self is ANYONE:
            return actor, note
        return self.name, " ".join(filter(None, (note, actor and f"(as {actor})")))


ANYONE = Caller(subject="", issuer="")
"""The caller where no tokens are looked at: it may do everything, for everybody."""

NOBODY = Caller(subject="", issuer="")
"""A caller who may do nothing, because nobody has looked who it is."""

_current: ContextVar[Caller] = ContextVar("caller")


def current() -> Caller:
    """Return who makes the call that is under way in this task.

    Raises:
        LookupError: none is; the guard sets it before it calls a method.
    """
    return _current.get()


def make_current(caller: Caller) -> None:
    """Let `current` return ``caller`` in this task."""
    _current.set(caller)
