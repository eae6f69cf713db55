"""The console's secret: what browsers keep for it is sealed, so that nobody else reads it or makes it up.

All replicas have the same one, so each of them opens what another has sealed.
"""

import secrets
import zlib
from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

SHORTEST = 32
"""Characters that a secret must have at least."""


class Seal:
    """Seals text for one purpose: what was sealed for another is not opened."""

    def __init__(self, key: bytes) -> None:
        """Seal with a key of 32 bytes in URL-safe base64."""
        self._fernet = Fernet(key)

    def close(self, text: str) -> str:
        """Return ``text`` sealed, with the time; each time it looks otherwise."""
        return self._fernet.encrypt(zlib.compress(text.encode())).decode()

    def open(self, sealed: str, seconds: int) -> str | None:
        """Return what was sealed; None where it was not sealed by us, or longer than ``seconds`` ago."""
        try:
            return zlib.decompress(self._fernet.decrypt(sealed.encode(), ttl=seconds)).decode()
        except InvalidToken:
            return None


class Secret:
    """Makes keys of one secret, another for each purpose."""

    def __init__(self, text: str | None = None) -> None:
        """Begin with ``text``; without one, with a secret of this process, which ends with it."""
        self._text = text or secrets.token_urlsafe(SHORTEST)

    def key(self, purpose: str) -> bytes:
        """Return a key of 32 bytes."""
        return HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(self._text.encode())

    def seal(self, purpose: str) -> Seal:
        """Return the seal of one purpose."""
        return Seal(urlsafe_b64encode(self.key(purpose)))
