"""An issuer of OpenID Connect with one user, who is signed in already: it gives codes, and a token for each."""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit


class OidcIssuer:
    """Where visitors sign in; it gives ``token``, to whoever shows the verifier of the challenge."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.challenges: dict[str, str] = {}
        self.methods: list[str] | None = None
        """How clients may show who they are, where it says so."""
        self.shown: list[tuple[str | None, dict[str, list[str]]]] = []
        """The header and the form of each who wanted a token."""
        self.url = ""

    def authorize(self, query: dict[str, list[str]]) -> str:
        """Return the address to go back to."""
        code = secrets.token_hex(8)
        assert query["code_challenge_method"] == ["S256"]
        self.challenges[code] = query["code_challenge"][0]
        return f"{query['redirect_uri'][0]}?{urlencode({'code': code, 'state': query['state'][0]})}"

    def redeem(self, form: dict[str, list[str]]) -> dict[str, str] | None:
        """Return the token, once for each code; None where the verifier does not fit."""
        digest = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        shown = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if self.challenges.pop(form["code"][0], None) != shown:
            return None
        return {"access_token": self.token, "token_type": "Bearer"}

    @property
    def published(self) -> dict[str, object]:
        """What it publishes of itself."""
        endpoints = {f"{name}_endpoint": f"{self.url}/{name}" for name in ("authorization", "token")}
        methods = {"token_endpoint_auth_methods_supported": self.methods} if self.methods else {}
        return {"issuer": self.url, **endpoints, **methods}


@contextmanager
def running(token: str) -> Iterator[OidcIssuer]:
    """Run an issuer that gives ``token``."""
    issuer = OidcIssuer(token)

    class Handler(BaseHTTPRequestHandler):
        """Speaks for the issuer."""

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/.well-known/openid-configuration":
                self.answer(200, issuer.published)
                return
            self.send_response(303)
            self.send_header("Location", issuer.authorize(parse_qs(parts.query)))
            self.end_headers()

        def do_POST(self) -> None:
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            issuer.shown.append((self.headers["Authorization"], form))
            given = issuer.redeem(form)
            refusal = {"error": "invalid_grant", "error_description": "The code was used before."}
            self.answer(200 if given else 400, given or refusal)

        def answer(self, status: int, content: Mapping[str, object]) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()
