"""An issuer of tokens in this process, and tokens of every kind that should be refused."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from joserfc.jwk import ECKey

from sagakit.rpc import local_issuer

ISSUER = "https://issuer.example"
AUDIENCE = "the-test"


class Issuer:
    """Publishes keys over HTTP on 127.0.0.1, and counts how often they are asked for."""

    def __init__(self) -> None:
        self.key = local_issuer.make_key()
        self.document = local_issuer.published(self.key).encode()
        self.asked = 0
        self.away = False
        self.url = ""

    def token(self, subject: str = "7", *scopes: str, lifetime: float = 3600.0, **claims: object) -> str:
        """Return a good token, but for what ``claims`` put in the place of its own; None leaves one out."""
        return signed(self.key, subject, *scopes, lifetime=lifetime, **claims)

    def renew(self) -> ECKey:
        """Sign with a new key and publish it alone; return the one that was used before."""
        before, self.key = self.key, local_issuer.make_key()
        self.document = local_issuer.published(self.key).encode()
        return before


@contextmanager
def issuing() -> Iterator[Issuer]:
    """Run an issuer."""
    issuer = Issuer()

    class Published(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            self.send_response(503 if issuer.away else 200)
            self.end_headers()
            self.wfile.write(issuer.document)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Published)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}/keys"
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def signed(key: ECKey, subject: str = "7", *scopes: str, lifetime: float = 3600.0, **claims: object) -> str:
    """Return a token of `ISSUER` for `AUDIENCE` that ``key`` has signed, changed by ``claims``."""
    return local_issuer.token(
        key,
        issuer=ISSUER,
        audience=AUDIENCE,
        subject=subject,
        scopes=scopes,
        lifetime_seconds=lifetime,
        claims=claims,
    )


def assembled(header: Mapping[str, Any], claims: Mapping[str, Any] | bytes, signature: bytes = b"") -> str:
    """Return a token of any content, whether a library would make it or not."""
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = (json.dumps(header).encode(), body, signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def good_claims(**claims: object) -> dict[str, Any]:
    """Return what a good token says, changed by ``claims``."""
    now = int(time.time())
    return {"iss": ISSUER, "aud": AUDIENCE, "sub": "7", "scope": "", "iat": now, "exp": now + 3600, **claims}
