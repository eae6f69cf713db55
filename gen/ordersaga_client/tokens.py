"""Tokens for services that ask for them (``AUTH_MODE=jwt``): from the environment, from a file, or from an issuer.

::

    token = token_from_environment()
    with with_token(grpc.secure_channel(address, credentials, options=CHANNEL_OPTIONS), token) as channel:
        orders = OrderServiceStub(channel)

A token is good for whoever holds it: send it over TLS, or to one's own machine.
"""

import base64
import ipaddress
import json
import os
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import grpc

Token: TypeAlias = Callable[[], str]
"""Returns the token for a call that is about to be made. Any thread may call it."""

TOKEN: Final = "ORDERSAGA_TOKEN"  # noqa: S105 - the variable's name
TOKEN_FILE: Final = "ORDERSAGA_TOKEN_FILE"  # noqa: S105 - the variable's name
_OIDC: Final = ("ORDERSAGA_OIDC_TOKEN_URL", "ORDERSAGA_OIDC_CLIENT_ID", "ORDERSAGA_OIDC_CLIENT_SECRET")
_OIDC_SCOPE: Final = "ORDERSAGA_OIDC_SCOPE"
_ANSWER_SECONDS: Final = 10.0
_LARGEST_ANSWER: Final = 65_536
_LIFETIME_SECONDS: Final = 60.0
"""Of a token whose issuer does not say how long it lives."""
_EARLY_SECONDS: Final = 30.0
"""A token is renewed so long before it expires, or when nine tenths of its time have passed if that is later."""

# Those who read addresses differ on what an @, a backslash, a control character or a letter outside of ASCII makes of
# the host, so an address with one of them is refused.
_URL: Final = re.compile(
    r"(?P<scheme>https?)://(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|(?P<host>[0-9A-Za-z._-]+))(?::[0-9]{1,5})?(?:[/?][!-\[\]-~]*)?"
)


class TokenError(Exception):
    """There is no token to be had; the text says why."""


class _Call(NamedTuple):
    method: str
    timeout: float | None
    metadata: Any
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class _Bearer(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamUnaryClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    """Puts a token into every call's metadata."""

    def __init__(self, token: Token) -> None:
        self._token = token

    def _call(self, proceed: Callable[..., Any], details: Any, request: Any) -> Any:  # noqa: ANN401 - as grpc gives it
        metadata = (*(details.metadata or ()), *metadata_of(self._token()))
        others = (getattr(details, name, None) for name in ("credentials", "wait_for_ready", "compression"))
        return proceed(_Call(details.method, details.timeout, metadata, *others), request)

    # One function serves the four kinds of calls, whose types differ.
    intercept_unary_unary = intercept_unary_stream = _call  # type: ignore[assignment]
    intercept_stream_unary = intercept_stream_stream = _call  # type: ignore[assignment]


def with_token(channel: grpc.Channel, token: Token | None) -> grpc.Channel:
    """Return ``channel`` so that each of its calls carries what ``token`` returns then; as it is where that is None."""
    return channel if token is None else grpc.intercept_channel(channel, _Bearer(token))


def metadata_of(token: str) -> tuple[tuple[str, str]]:
    """Return the metadata that carries ``token``, for those who give each call its own, as with ``grpc.aio``."""
    return (("authorization", f"Bearer {token}"),)


def token_from_environment(file: str | None = None) -> Token | None:
    """Return where tokens come from; None where nothing says so, because the services need none.

    ``file`` is read first, then ``ORDERSAGA_TOKEN``, then the file that ``ORDERSAGA_TOKEN_FILE`` names, then an issuer
    is asked for one: ``ORDERSAGA_OIDC_TOKEN_URL``, ``…_CLIENT_ID`` and ``…_CLIENT_SECRET``, perhaps ``…_SCOPE``.

    Raises:
        TokenError: a part of the issuer's settings is missing.
    """
    if file:
        return token_in_file(file)
    if token := os.environ.get(TOKEN, "").strip():
        return lambda: token
    if file := os.environ.get(TOKEN_FILE):
        return token_in_file(file)
    given = {name: os.environ.get(name) or "" for name in _OIDC}
    if not any(given.values()):
        return None
    if missing := [name for name, value in given.items() if not value]:
        raise TokenError(f"{', '.join(missing)}: must be set too")
    return ClientCredentials(*given.values(), scope=os.environ.get(_OIDC_SCOPE) or "")


def token_in_file(path: str) -> Token:
    """Return the token source that reads the file ``path`` anew for each call, so that it may be replaced."""

    def read() -> str:
        try:
            token = Path(path).read_text().strip()
        except (OSError, ValueError) as error:
            raise TokenError(f"{path} cannot be read: {getattr(error, 'strerror', error)}") from error
        if not token or len(token.split()) > 1:
            raise TokenError(f"{path} holds no token")
        return token

    return read


class ClientCredentials:
    """Gets tokens from an issuer by OAuth's client credentials (RFC 6749, 4.4), and renews them in time."""

    def __init__(self, token_url: str, client_id: str, client_secret: str, *, scope: str = "") -> None:
        """Ask at ``token_url``, as ``client_id``, for ``scope``; empty is what the issuer gives by itself.

        Raises:
            TokenError: the address would send the secret in clear text, or two readers might read it otherwise.
        """
        if not _is_safe(token_url):
            shown = "the issuer's address" if "@" in token_url else token_url  # there may be a password in it
            raise TokenError(
                f"{shown}: must be an https:// address, except on loopback, since a secret is sent;"
                " of ASCII without \\, and with a host and a port alone before its path"
            )
        pair = ":".join(urllib.parse.quote_plus(part) for part in (client_id, client_secret))
        self._url = token_url
        self._headers = {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
        self._form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        self._lock = threading.Lock()
        self._token, self._renew_at = "", 0.0

    def __call__(self) -> str:
        """Return a token that is good for a while.

        Raises:
            TokenError: the issuer gives none.
        """
        with self._lock:
            if time.monotonic() >= self._renew_at:
                self._token, lifetime = self._ask()
                self._renew_at = time.monotonic() + max(lifetime - _EARLY_SECONDS, lifetime * 0.9)
            return self._token

    def _ask(self) -> tuple[str, float]:
        request = urllib.request.Request(  # noqa: S310 - its scheme was looked at
            self._url, urllib.parse.urlencode(self._form).encode(), self._headers
        )
        try:
            with urllib.request.build_opener(_NoRedirect).open(request, timeout=_ANSWER_SECONDS) as answer:
                said = json.loads(answer.read(_LARGEST_ANSWER))
            return _token_of(said)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TokenError(f"{self._url} gives no token: {error}") from error


def _token_of(said: dict[str, Any]) -> tuple[str, float]:
    token, lifetime = said["access_token"], float(said.get("expires_in", _LIFETIME_SECONDS))
    if not isinstance(token, str) or said.get("token_type", "Bearer").lower() != "bearer":
        raise ValueError("the answer holds no bearer token")
    return token, lifetime


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Takes no redirection, which would carry the secret elsewhere."""

    def redirect_request(self, *_: Any) -> None:  # noqa: ANN401 - as urllib gives them
        """Return no request."""


def _is_safe(url: str) -> bool:
    found = _URL.fullmatch(url)
    return found is not None and (found["scheme"] == "https" or _is_loopback(found["ipv6"] or found["host"]))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
