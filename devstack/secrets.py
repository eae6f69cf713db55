"""Passwords: one secret in a file of its own, and a password for each login that follows from it."""

import hmac
import os
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path


class Secret:
    """A secret that only its owner can read; it is made when it is first needed."""

    def __init__(self, file: Path) -> None:
        """Keep it in ``file``."""
        self.file = file

    @property
    def exists(self) -> bool:
        """Whether it was made."""
        return self.file.exists()

    def text(self) -> str:
        """Return the secret itself."""
        if not self.exists:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_private(self.file, secrets.token_urlsafe(18))
        return self.file.read_text()

    def of(self, login: str) -> str:
        """Return the password of ``login``: none tells another one, nor the secret, which tells all of them."""
        digest = hmac.digest(self.text().encode(), login.encode(), "sha256")
        return urlsafe_b64encode(digest).decode().rstrip("=")


def make_private(folder: Path) -> None:
    """Make ``folder`` where it is missing, and let nobody else see what is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)


def write_private(file: Path, content: str | bytes) -> None:
    """Write ``file`` anew, so that nobody else can read it at any moment."""
    file.unlink(missing_ok=True)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content.encode() if isinstance(content, str) else content)
