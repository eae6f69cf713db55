"""The door of the console: which hosts and origins it answers, and what browsers may do with its pages."""

from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sagakit.runtime.settings import is_loopback

POLICY: Final = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self' data:;"
    " connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
"""What pages may load and do: nothing inline, nothing from elsewhere, and nobody may put them into a frame."""
_HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
_READING: Final = {"GET", "HEAD"}


class Guard:
    """Refuses foreign hosts and origins, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        """Guard ``app``, which is called by loopback's names, or by one of ``hosts`` where there are any."""
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._is_known(host):
            names = "one of those in CONSOLE_HOSTS" if self._hosts else "127.0.0.1, or name this one in CONSOLE_HOSTS"
            return PlainTextResponse(f"The console does not go by this name. Call it by {names}.\n", 421)
        if scope["method"] not in _READING and not _is_same_origin(headers, host):
            return PlainTextResponse("This request comes from another site, and is refused.\n", 403)
        return None

    def _is_known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in self._hosts or (not self._hosts and is_loopback(name))


def _is_same_origin(headers: Headers, host: str) -> bool:
    """Say whether a request that changes something comes from a page of ours; browsers say so in either header.

    Our pages tell nobody where they come from (no-referrer), so a new browser gives their forms the origin ``null``,
    and says by the other header that it is ours. Behind a proxy the scheme that we see is not the browser's, so only
    host and port are compared.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    is_own = origin is not None and origin.partition("://")[2] == host
    return is_own if site is None else site == "same-origin" and (is_own or origin in {None, "null"})
