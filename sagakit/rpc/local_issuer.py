"""An issuer on one's own machine: a key in a file, and tokens signed by it, for development and for tests."""

import json
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from joserfc import jws
from joserfc.jwk import ECKey

_ALGORITHM = "ES256"


def make_key() -> ECKey:
    """Return a new private key, with an id."""
    return ECKey.generate_key("P-256", {"use": "sig", "alg": _ALGORITHM}, auto_kid=True)


def write_key(key: ECKey, path: Path) -> None:
    """Write the private ``key`` to ``path``, for its owner's eyes alone.

    Raises:
        OSError: there is such a file already, or it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(key.as_dict(private=True), file, indent=2)


def read_key(path: Path) -> ECKey:
    """Return the private key that `write_key` has written to ``path``.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds something else.
    """
    try:
        key = ECKey.import_key(json.loads(path.read_bytes()))
    except OSError:
        raise
    except Exception as error:
        raise ValueError("holds no private key of this command's") from error
    if not key.is_private or key.curve_name != "P-256":
        raise ValueError("holds no private key of this command's")
    return key


def published(*keys: ECKey) -> str:
    """Return the JWK set by which others verify what ``keys`` sign."""
    return json.dumps({"keys": [key.as_dict(private=False) for key in keys]}, indent=2)


def token(  # noqa: PLR0913 - what a token says
    key: ECKey,
    *,
    issuer: str,
    audience: str,
    subject: str,
    scopes: Iterable[str] = (),
    lifetime_seconds: float = 3600.0,
    claims: Mapping[str, object] | None = None,
) -> str:
    """Return a token, signed by ``key``, that says ``subject`` may do ``scopes`` from now for ``lifetime_seconds``.

    ``claims`` are added, or stand in the place of those that follow from the other arguments.
    """
    now = int(time.time())
    said = {
        "iss": issuer,
        "aud": audience,
        "sub": subject,
        "scope": " ".join(scopes),
        "iat": now,
        "exp": now + int(lifetime_seconds),
    }
    header = {"alg": _ALGORITHM, "typ": "at+jwt", "kid": key.kid}
    return jws.serialize_compact(header, json.dumps({**said, **(claims or {})}), key, algorithms=[_ALGORITHM])
