"""Tokens against forged requests: a form's field must fit the cookie of the browser that sends it.

Another site can have a browser send our cookies, and can neither read them nor know the field that fits.
"""

import hmac
import secrets

FIELD = "csrf"
"""The form's field."""
HEADER = "x-csrf-token"
"""The header that may stand in its place."""


class Forgery:
    """Makes and checks the tokens of one console."""

    def __init__(self, key: bytes) -> None:
        """Sign with ``key``."""
        self._key = key

    @staticmethod
    def new_cookie() -> str:
        """Return a value for the cookie of a browser that has none."""
        return secrets.token_urlsafe(24)

    def token(self, cookie: str) -> str:
        """Return what a form must carry for a browser with this cookie."""
        return hmac.new(self._key, cookie.encode(), "sha256").hexdigest()

    def fits(self, cookie: str, token: str) -> bool:
        """Say whether a form's token is the one for this cookie."""
        return bool(cookie) and hmac.compare_digest(self.token(cookie).encode(), token.encode())
