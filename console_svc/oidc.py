"""Signing in at an issuer by OpenID Connect's code flow, with PKCE (RFC 7636).

What the issuer gives is the access token that the visitor's calls are made with, so the services verify it, as they do
a pasted one. Who began a sign-in is known by a cookie, so that nobody can be signed in as somebody else.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import httpx2

from console_svc.secret import Seal
from sagakit.runtime.urls import is_trustworthy

_ANSWER_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 600
"""How long a sign-in may take that has begun."""
_MOST_CHARACTERS: Final = 100_000
_LONGEST_REASON: Final = 300
_BASIC, _POST = "client_secret_basic", "client_secret_post"


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


class _Published(NamedTuple):
    """What an issuer publishes of itself."""

    authorization: str
    token: str
    takes_basic: bool
    """Whether a client's secret goes into a header, as the standard has it unless the issuer says otherwise."""


class Issuer:
    """The issuer of visitors' tokens, as a client of it."""

    def __init__(self, url: str, client: Client, seal: Seal) -> None:
        """Know the issuer at ``url``, at which the console is ``client``; ``seal`` closes what browsers keep."""
        self._url, self._client, self._seal = url.rstrip("/"), client, seal
        self._published: _Published | None = None

    async def begin(self, callback: str, then: str) -> tuple[str, str]:
        """Return the issuer's address to go to, and what the browser is to keep until it comes back from there.

        Raises:
            NotSignedIn: the issuer cannot be reached, or is not what it should be.
        """
        published = await self._found()
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
        separator = "&" if "?" in published.authorization else "?"
        return f"{published.authorization}{separator}{urlencode(query)}", self._seal.close(json.dumps(begun))

    async def redeem(self, cookie: str, answer: Mapping[str, str]) -> tuple[str, str]:
        """Return the access token that the issuer gives, and where the visitor wanted to go.

        ``answer`` is the query with which the issuer has sent the browser back.

        Raises:
            NotSignedIn: the browser with this ``cookie`` has not begun with this state, or too long ago, or the
                issuer gives none.
        """
        kept = self._seal.open(cookie, PATIENCE_SECONDS)
        begun = None if kept is None else Begun(*json.loads(kept))
        if begun is None or not secrets.compare_digest(begun.state.encode(), answer.get("state", "").encode()):
            raise NotSignedIn("This sign-in was begun in another browser, or too long ago. Begin again.")
        code = answer.get("code", "")
        if not code:
            raise NotSignedIn(f"The issuer did not sign you in{_reason(answer)}. Begin again.")
        published = await self._found()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.callback,
            "code_verifier": begun.verifier,
        }
        own, header = self._identified(published)
        said = await self._ask("POST", published.token, {**form, **own}, header)
        token = said.get("access_token")
        if not isinstance(token, str) or str(said.get("token_type", "bearer")).lower() != "bearer":
            raise NotSignedIn("The issuer gave no access token.")
        return token, begun.then

    def _identified(self, published: _Published) -> tuple[dict[str, str], httpx2.BasicAuth | None]:
        """Return by what the issuer knows us: fields of the form, or a header."""
        client = self._client
        if client.secret and published.takes_basic:
            return {}, httpx2.BasicAuth(quote_plus(client.id), quote_plus(client.secret))  # as RFC 6749, 2.3.1 has it
        return {"client_id": client.id} | ({"client_secret": client.secret} if client.secret else {}), None

    async def _found(self) -> _Published:
        """Return what the issuer publishes."""
        if self._published is None:
            said = await self._ask("GET", f"{self._url}/.well-known/openid-configuration", None)
            if str(said.get("issuer", "")).rstrip("/") != self._url:
                raise NotSignedIn("The issuer calls itself by another name than CONSOLE_OIDC_ISSUER.")
            authorization, token = (str(said.get(f"{name}_endpoint", "")) for name in ("authorization", "token"))
            if not is_trustworthy(authorization) or not is_trustworthy(token):
                raise NotSignedIn("The issuer's addresses are not https.")
            methods = said.get("token_endpoint_auth_methods_supported") or [_BASIC]
            self._published = _Published(authorization, token, _BASIC in methods or _POST not in methods)
        return self._published

    async def _ask(
        self, method: str, url: str, form: dict[str, str] | None, header: httpx2.BasicAuth | None = None
    ) -> dict[str, Any]:
        try:
            # It may be outside, where only a proxy leads to: the environment's is asked, NO_PROXY excepted.
            async with httpx2.AsyncClient(timeout=_ANSWER_SECONDS, follow_redirects=False, trust_env=True) as client:
                answer = await client.request(method, url, data=form, auth=header)
            if answer.status_code != 200 or len(answer.content) > _MOST_CHARACTERS:  # noqa: PLR2004 - HTTP's own number
                why = _reason_in(answer)
                raise NotSignedIn(f"The issuer refuses, with status {answer.status_code}{why}. Begin again.")
            said = answer.json()
        except (httpx2.HTTPError, OSError, ValueError) as error:
            raise NotSignedIn(f"The issuer at {self._url} does not answer as it should. Try again.") from error
        if not isinstance(said, dict):
            raise NotSignedIn(f"The issuer at {self._url} does not answer as it should. Try again.")
        return said


def _reason_in(answer: httpx2.Response) -> str:
    try:
        said = answer.json() if len(answer.content) <= _MOST_CHARACTERS else None
    except ValueError:
        return ""
    return _reason(said) if isinstance(said, dict) else ""


def _reason(said: Mapping[str, object]) -> str:
    """Return why an issuer refuses, as it says by OAuth's error and its description, to be put behind a sentence."""
    found = [" ".join(str(said.get(name, "")).split()).rstrip(".") for name in ("error", "error_description")]
    text = "".join(one for one in ": ".join(filter(None, found)) if one.isprintable())[:_LONGEST_REASON]
    return f", and says {text}" if text else ""
