"""Server-sent events: what has changed on the pages that a browser shows, as HTML fragments by name.

A browser has one stream for all its tabs; it asks for each page that is open by its address. A page is rendered anew
after as long as it says, four times a second at most, and only the parts that differ are sent.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Match, Route

from console_svc.console import CSRF, Console
from console_svc.failures import CallFailed
from console_svc.visit import Page, Visit
from sagakit.runtime.logs import logger

log = logger("console")
Pages = Sequence[tuple[Route, Page]]
"""Each page with its route."""

SHORTEST_SECONDS: Final = 0.25
"""Between two events for one page."""
_BEAT_SECONDS: Final = 4.0
_MOST_PAGES: Final = 40
_LONGEST_ADDRESS: Final = 4_000


@dataclass
class _Open:
    """A page that a browser shows."""

    topic: str
    page: Page
    visit: Visit
    at: float = -inf
    every: float = 0.0
    """After how many seconds it is read again."""
    sent: dict[str, int] = field(default_factory=dict)


def stream(console: Console, pages: Pages) -> Route:
    """Return the route of the stream, which tells of ``pages``."""

    async def live(request: Request) -> Response:
        visitor = console.visitor(request)
        if visitor is None:
            return Response(_event("signed-out", {}), media_type="text/event-stream")
        found = [_open(console, pages, request, topic) for topic in request.query_params.getlist("on")[:_MOST_PAGES]]
        shown = [one for one in found if one is not None]
        return StreamingResponse(_events(console, request, shown), media_type="text/event-stream")

    return Route("/live", live)


def _open(console: Console, pages: Pages, request: Request, topic: str) -> _Open | None:
    """Return the page at the address ``topic``; None where there is none."""
    visitor = console.visitor(request)
    if visitor is None or len(topic) > _LONGEST_ADDRESS:
        return None
    try:
        address = urlsplit(topic)
    except ValueError:
        return None
    for route, page in pages:
        match, scope = route.matches({"type": "http", "path": address.path, "method": "GET"})
        if match is Match.FULL:
            parts = {name: str(value) for name, value in scope["path_params"].items()}
            at = (address.path, QueryParams(address.query), parts)
            return _Open(topic, page, console.visit(request, visitor, console.cookie(request, CSRF), at))
    return None


async def _events(console: Console, request: Request, shown: list[_Open]) -> AsyncIterator[str]:
    visitor = console.visitor(request)
    if visitor is None:
        return
    hub = console.hubs.of(visitor.token)
    hub.join()
    try:
        yield "retry: 2000\n\n" + _event("beat", {})
        told = time.monotonic()
        while not console.closing and not await request.is_disconnected():
            if console.visitor(request) is None:
                yield _event("signed-out", {})
                return
            found = await asyncio.gather(*(_changes(console, one) for one in shown))
            for one, parts in zip(shown, found, strict=True):
                if parts:
                    told = time.monotonic()
                    yield _event("parts", {"topic": one.topic, "parts": parts})
            if time.monotonic() - told >= _BEAT_SECONDS:
                told = time.monotonic()
                yield _event("beat", {})
            await asyncio.sleep(SHORTEST_SECONDS)
    finally:
        hub.leave()


async def _changes(console: Console, one: _Open) -> dict[str, str]:
    """Return those parts of a page that are not as they were sent last; none before it is to be read again."""
    if time.monotonic() - one.at < one.every:
        return {}
    one.at, one.every = time.monotonic(), one.page.every
    load = one.page.load if console.rendering.is_live(one.page) else _nothing
    try:
        pulse, content = await asyncio.gather(one.visit.hub.pulse(), load(one.visit))
        every = content.get("every")
        one.every = every if isinstance(every, float) else one.page.every
        parts = console.rendering.live_parts(one.page, one.visit, pulse, content)
    except CallFailed as error:
        parts = {"live_trouble": console.rendering.trouble(error.sentence)}
    except Exception:  # one page's fault must not end the stream of the others
        log.exception("a page cannot be brought up to date", page=one.page.path)
        parts = {}
    changed = {name: text for name, text in parts.items() if one.sent.get(name) != hash(text)}
    one.sent.update({name: hash(text) for name, text in changed.items()})
    return changed


async def _nothing(_: Visit) -> Mapping[str, object]:
    return {}


def _event(name: str, content: object) -> str:
    return f"event: {name}\ndata: {json.dumps(content)}\n\n"
