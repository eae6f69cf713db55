"""Who sits before the browser: nobody in particular, or whoever a pasted token names.

A token stays in the browser's cookie, sealed, so that any replica knows whose it is, and no script reads it. It is sent
with that visitor's calls and nowhere else. The services verify it; what it says is read here only to show who is signed
in, and to leave out buttons that would be refused.
"""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from console_svc.secret import Seal

EVERYTHING = frozenset({"*"})
_LONGEST_SESSION_SECONDS = 12 * 3600
_LONGEST_SESSION = 3_900
"""Characters: browsers keep no cookie that has more than 4,096 with its name and all."""


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
    """The visitors who have signed in, as their cookies have them."""

    def __init__(self, seal: Seal, now: Callable[[], float] = time.time) -> None:
        """Keep tokens by ``seal``; ``now`` is Unix time."""
        self._seal, self._now = seal, now

    def sign_in(self, token: str) -> str:
        """Return what the browser of whoever has ``token`` is to keep.

        Raises:
            BadToken: it is no token, has expired, or is longer than a cookie may be.
        """
        if read_token(token).expires <= self._now():
            raise BadToken("The token has expired. Get another from its issuer.")
        session = self._seal.close(token)
        if len(session) > _LONGEST_SESSION:
            raise BadToken("The token is too long for a cookie. Get one with fewer claims from its issuer.")
        return session

    def visitor(self, session: str) -> Visitor | None:
        """Return whose browser keeps this; None where we have not sealed it, or the token has ended."""
        token = self._seal.open(session, _LONGEST_SESSION_SECONDS)
        visitor = None if token is None else read_token(token)
        return visitor if visitor is not None and visitor.expires > self._now() else None


def read_token(token: str) -> Visitor:
    """Return the visitor that ``token`` names by its claims, which nobody has verified here.

    Raises:
        BadToken: it is no signed JSON web token.
    """
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, claims, signature
        raise BadToken("That is no token: one has three parts with dots between, and no blanks.")
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        scope = claims.get("scope", claims.get("scp", ""))
        scopes = frozenset(scope.split(" ") if isinstance(scope, str) else map(str, scope)) - {""}
        expires = min(time.time() + _LONGEST_SESSION_SECONDS, float(claims["exp"]))
        return Visitor(token, str(claims["sub"]), scopes, expires)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadToken("That token cannot be read: it names no subject (sub) or no end (exp).") from error
