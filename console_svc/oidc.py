"""Signing in at an issuer by OpenID Connect's code flow, with PKCE (RFC 7636).

What the issuer gives is the access token that the visitor's calls are made with, so the services verify it, as they do
a pasted one. Who began a sign-in is known by a cookie, so that nobody can be signed in as somebody else.
"""

import base64
import hashlib
import json
import secrets
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import httpx2

from console_svc.secret import Seal
from sagakit.runtime.urls import is_trustworthy

_ANSWER_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 600
"""How long a sign-in may take that has begun."""
_MOST_CHARACTERS: Final = 100_000


class NotSignedIn(Exception):
    """The issuer, or what it said, does not allow it; the text is a sentence that says why."""


class Begun(NamedTuple):
    """A sign-in that has begun; the browser keeps it, sealed."""

    state: str
    """What the issuer sends back."""
    verifier: str
    """Whose hash the issuer was shown; only who has it may redeem the code."""
    callback: str
    then: str
    """Where the visitor wanted to go."""


class Client(NamedTuple):
    """Who the console is to the issuer."""

    id: str
    secret: str
    """Empty for a public client."""
    scope: str
    """What it asks for."""


class Issuer:
    """The issuer of visitors' tokens, as a client of it."""

    def __init__(self, url: str, client: Client, seal: Seal) -> None:
        """Know the issuer at ``url``, at which the console is ``client``; ``seal`` closes what browsers keep."""
        self._url, self._client, self._seal = url.rstrip("/"), client, seal
        self._endpoints: dict[str, str] = {}

    async def begin(self, callback: str, then: str) -> tuple[str, str]:
        """Return the issuer's address to go to, and what the browser is to keep until it comes back from there.

        Raises:
            NotSignedIn: the issuer cannot be reached, or is not what it should be.
        """
        endpoints = await self._found()
        state, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(48)
        begun = Begun(state, verifier, callback, then)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._client.id,
            "redirect_uri": callback,
            "scope": self._client.scope,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        separator = "&" if "?" in endpoints["authorization_endpoint"] else "?"
        return f"{endpoints['authorization_endpoint']}{separator}{urlencode(query)}", self._seal.close(
            json.dumps(begun)
        )

    async def redeem(self, cookie: str, state: str, code: str) -> tuple[str, str]:
        """Return the access token that the issuer gives for ``code``, and where the visitor wanted to go.

        Raises:
            NotSignedIn: the browser with this ``cookie`` has not begun with this ``state``, or too long ago, or the
                issuer gives none.
        """
        kept = self._seal.open(cookie, PATIENCE_SECONDS)
        begun = None if kept is None else Begun(*json.loads(kept))
        if begun is None or not secrets.compare_digest(begun.state.encode(), state.encode()):
            raise NotSignedIn("This sign-in was begun in another browser, or too long ago. Begin again.")
        if not code:
            raise NotSignedIn("The issuer did not sign you in. Begin again.")
        endpoints = await self._found()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.callback,
            "client_id": self._client.id,
            "code_verifier": begun.verifier,
        } | ({"client_secret": self._client.secret} if self._client.secret else {})
        said = await self._ask("POST", endpoints["token_endpoint"], form)
        token = said.get("access_token")
        if not isinstance(token, str) or str(said.get("token_type", "bearer")).lower() != "bearer":
            raise NotSignedIn("The issuer gave no access token.")
        return token, begun.then

    async def _found(self) -> dict[str, str]:
        """Return the issuer's endpoints, which it publishes."""
        if not self._endpoints:
            said = await self._ask("GET", f"{self._url}/.well-known/openid-configuration", None)
            if str(said.get("issuer", "")).rstrip("/") != self._url:
                raise NotSignedIn("The issuer calls itself by another name than CONSOLE_OIDC_ISSUER.")
            found = {name: str(said.get(name, "")) for name in ("authorization_endpoint", "token_endpoint")}
            if not all(map(is_trustworthy, found.values())):
                raise NotSignedIn("The issuer's addresses are not https.")
            self._endpoints = found
        return self._endpoints

    async def _ask(self, method: str, url: str, form: dict[str, str] | None) -> dict[str, Any]:
        try:
            async with httpx2.AsyncClient(timeout=_ANSWER_SECONDS, follow_redirects=False) as client:
                answer = await client.request(method, url, data=form)
            if answer.status_code != 200 or len(answer.content) > _MOST_CHARACTERS:  # noqa: PLR2004 - HTTP's own number
                raise NotSignedIn(f"The issuer refuses, with status {answer.status_code}. Begin again.")
            said = answer.json()
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise NotSignedIn(f"The issuer at {self._url} does not answer as it should. Try again.") from error
        if not isinstance(said, dict):
            raise NotSignedIn(f"The issuer at {self._url} does not answer as it should. Try again.")
        return said
