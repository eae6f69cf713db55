"""Who sits before the browser: nobody in particular, or whoever a pasted token names.

A token stays here, in memory, under a random id that only the browser's cookie has. It is sent with that visitor's
calls and nowhere else. The services verify it; what it says is read here only to show who is signed in, and to leave
out buttons that would be refused.
"""

import base64
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERYTHING = frozenset({"*"})
_LONGEST_SESSION_SECONDS = 12 * 3600
_MOST_SESSIONS = 10_000
_LONGEST_TOKEN = 16_384


@dataclass(frozen=True)
class Visitor:
    """One who looks, and perhaps acts."""

    token: str = field(default="", repr=False)
    """What calls are made with; empty where services ask for none."""
    subject: str = ""
    """Whom the token names; empty where there is none."""
    scopes: frozenset[str] = EVERYTHING
    expires: float = float("inf")
    """When the token ends, in Unix time."""

    def may(self, scope: str) -> bool:
        """Say whether the visitor's calls of this scope are worth trying."""
        return self.scopes is EVERYTHING or scope in self.scopes


class BadToken(Exception):
    """What was pasted is no token that could be used; the text says why."""


class Sessions:
    """The visitors who have signed in, by the random ids in their cookies."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Begin with nobody; ``now`` is Unix time."""
        self._now, self._visitors = now, dict[str, Visitor]()

    def sign_in(self, token: str) -> tuple[str, Visitor]:
        """Return a new id, and the visitor that stands under it from now on.

        Raises:
            BadToken: it is no token, or has expired.
        """
        visitor = read_token(token)
        if visitor.expires <= self._now():
            raise BadToken("The token has expired. Get another from its issuer.")
        self._forget_expired()
        if len(self._visitors) >= _MOST_SESSIONS:
            self._visitors.pop(next(iter(self._visitors)))
        session = secrets.token_urlsafe(32)
        self._visitors[session] = visitor
        return session, visitor

    def sign_out(self, session: str) -> None:
        """Forget who has this id, and the token."""
        self._visitors.pop(session, None)

    def visitor(self, session: str) -> Visitor | None:
        """Return who has this id; None where nobody has, or the token has ended."""
        visitor = self._visitors.get(session)
        if visitor is not None and visitor.expires <= self._now():
            self.sign_out(session)
            return None
        return visitor

    def _forget_expired(self) -> None:
        now = self._now()
        for session in [session for session, visitor in self._visitors.items() if visitor.expires <= now]:
            self.sign_out(session)


def read_token(token: str) -> Visitor:
    """Return the visitor that ``token`` names by its claims, which nobody has verified here.

    Raises:
        BadToken: it is no signed JSON web token.
    """
    parts = token.split(".")
    if len(parts) != 3 or len(token) > _LONGEST_TOKEN:  # noqa: PLR2004 - header, claims, signature
        raise BadToken("That is no token: one has three parts with dots between, and no blanks.")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        scope = claims.get("scope", claims.get("scp", ""))
        scopes = frozenset(scope.split(" ") if isinstance(scope, str) else map(str, scope)) - {""}
        expires = min(float(claims["exp"]), time.time() + _LONGEST_SESSION_SECONDS)
        return Visitor(token, str(claims["sub"]), scopes, expires)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadToken("That token cannot be read: it names no subject (sub) or no end (exp).") from error
