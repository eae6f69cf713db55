"""Signing in, with a pasted token or at an issuer, and out again."""

import re

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from console_svc.acting import read_form
from console_svc.console import CSRF, SESSION, STATE, Console
from console_svc.failures import CallFailed
from console_svc.forgery import FIELD, Forgery
from console_svc.oidc import PATIENCE_SECONDS, Issuer, NotSignedIn
from console_svc.verifying import verify
from console_svc.visitors import BadToken, read_token

_CALLBACK = "/sign-in/back"
_OWN = re.compile(r"/(?![/\\])[!-\[\]-~]*")
"""A path of ours: nothing in it that a browser would take for another host, or leave out."""


def routes(console: Console) -> list[Route]:
    """Return the routes of signing in and out; none where no token is needed."""
    if not console.signs_in:
        return []

    async def ask(request: Request) -> Response:
        return _asked(console, request, request.query_params.get("next", "/"), "")

    async def sign_in(request: Request) -> Response:
        form = await read_form(request)
        if form is None or not console.forgery.fits(console.cookie(request, CSRF), form.text(FIELD)):
            return _asked(console, request, "/", "This page was too old. Try again.")
        try:
            session = await _session(console, "".join(form.text("token").split()))
        except (BadToken, CallFailed) as error:
            return _asked(console, request, form.text("next"), str(error))
        response = RedirectResponse(_own(form.text("next")), 303)
        console.keep(response, SESSION, session)
        console.keep(response, CSRF, Forgery.new_cookie())
        return response

    async def sign_out(request: Request) -> Response:
        form = await read_form(request)
        if form is None or not console.forgery.fits(console.cookie(request, CSRF), form.text(FIELD)):
            return PlainTextResponse("Go back, reload the page, and try again.\n", 403)
        response = RedirectResponse("/sign-in", 303)
        console.keep(response, SESSION, "")
        return response

    return [
        Route("/sign-in", ask),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
        *(_at_issuer(console, console.issuer) if console.issuer else []),
    ]


def _at_issuer(console: Console, issuer: Issuer) -> list[Route]:
    async def begin(request: Request) -> Response:
        then = _own(request.query_params.get("next", "/"))
        try:
            address, begun = await issuer.begin(str(request.url.replace(path=_CALLBACK, query="")), then)
        except NotSignedIn as error:
            return _asked(console, request, then, str(error))
        response = RedirectResponse(address, 303)
        console.keep_across(response, STATE, begun, PATIENCE_SECONDS)
        return response

    async def come_back(request: Request) -> Response:
        try:
            token, then = await issuer.redeem(console.cookie(request, STATE), request.query_params)
            session = await _session(console, token)
        except (NotSignedIn, BadToken, CallFailed) as error:
            return _asked(console, request, "/", str(error))
        # A redirection now would still count as the issuer's, and the browser would not send the session's cookie.
        response = HTMLResponse(console.rendering.plain("signed_in.html", then=then))
        console.keep(response, SESSION, session)
        console.keep(response, CSRF, Forgery.new_cookie())
        console.keep_across(response, STATE, "", 0)
        return response

    return [Route("/sign-in/issuer", begin), Route(_CALLBACK, come_back)]


def _asked(console: Console, request: Request, then: str, error: str) -> Response:
    cookie = console.cookie(request, CSRF) or Forgery.new_cookie()
    text = console.rendering.plain(
        "sign_in.html",
        csrf=console.forgery.token(cookie),
        then=_own(then),
        error=error,
        issuer=console.issuer is not None,
    )
    response = HTMLResponse(text, 401 if error else 200)
    console.keep(response, CSRF, cookie)
    return response


async def _session(console: Console, token: str) -> str:
    """Return a new session of whoever has ``token``, whatever that lets them do.

    Raises:
        BadToken: it is none that can be used.
        CallFailed: the services do not take it, or cannot be reached.
    """
    visitor = read_token(token)
    await verify(console.sources.services, visitor.token)
    return console.sessions.sign_in(token)


def _own(path: str) -> str:
    """Return ``path`` where it leads to a page of ours, else the Overview's."""
    return path if _OWN.fullmatch(path) else "/"
