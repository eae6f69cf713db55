"""GET: a page, painted whole by the server, from one round of calls side by side."""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from console_svc.console import CSRF, NOTICE, Console
from console_svc.failures import CallFailed
from console_svc.forgery import Forgery
from console_svc.visit import Page, Visit

Endpoint = Callable[[Request], Awaitable[Response]]


def shown(console: Console, page: Page, failed: Page) -> Endpoint:
    """Return the endpoint of ``page``; ``failed`` is shown in its place where its content cannot be had."""

    async def show(request: Request) -> Response:
        visitor = console.visitor(request)
        if visitor is None:
            return to_sign_in(_address(request))
        had = console.cookie(request, CSRF)
        cookie = had or Forgery.new_cookie()
        parts = {name: str(value) for name, value in request.path_params.items()}
        visit = console.visit(request, visitor, cookie, (request.url.path, request.query_params, parts))
        try:
            response = await _page(console, page, visit, request)
        except CallFailed as error:
            if error.is_signed_out and console.signs_in:
                return to_sign_in(_address(request))
            comes = console.rendering.is_live(page) and not (error.is_absent or error.is_senseless)
            response = await _failed(console, failed, visit, error, comes=comes)
        if not had:
            console.keep(response, CSRF, cookie)
        return response

    return show


async def _page(console: Console, page: Page, visit: Visit, request: Request) -> Response:
    pulse, content = await asyncio.gather(visit.hub.pulse(), page.load(visit))
    notice = console.told(request)
    response = HTMLResponse(console.rendering.page(page, visit, pulse, {**content, "notice": notice}))
    if notice is not None:
        console.keep(response, NOTICE, "")
    return response


async def _failed(console: Console, failed: Page, visit: Visit, error: CallFailed, *, comes: bool) -> Response:
    address = f"{visit.path}?{visit.query}" if visit.query else visit.path
    content = {
        "notice": None,
        "sentence": error.sentence,
        "absent": error.is_absent,
        "senseless": error.is_senseless,
        "address": address,
        "comes": comes,
    }
    text = console.rendering.page(failed, visit, await visit.hub.pulse(), content)
    return HTMLResponse(text, error.status)


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def to_sign_in(wanted: str) -> Response:
    """Return the way to sign in, and from there to the page ``wanted``."""
    return RedirectResponse(f"/sign-in?{urlencode({'next': wanted})}", 303)
