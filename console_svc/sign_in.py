"""Signing in with a pasted token, and out again."""

from ordersaga.product.v1 import product_pb2
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from console_svc.acting import read_form
from console_svc.console import CSRF, SESSION, Console
from console_svc.failures import CallFailed
from console_svc.forgery import FIELD, Forgery
from console_svc.visitors import BadToken


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
            session, visitor = console.sessions.sign_in("".join(form.text("token").split()))
            await _must_be_taken(console, visitor.token)
        except (BadToken, CallFailed) as error:
            return _asked(console, request, form.text("next"), str(error))
        console.sessions.sign_out(console.cookie(request, SESSION))
        response = RedirectResponse(_own(form.text("next")), 303)
        console.keep(response, SESSION, session)
        console.keep(response, CSRF, Forgery.new_cookie())
        return response

    async def sign_out(request: Request) -> Response:
        form = await read_form(request)
        if form is None or not console.forgery.fits(console.cookie(request, CSRF), form.text(FIELD)):
            return PlainTextResponse("Go back, reload the page, and try again.\n", 403)
        console.sessions.sign_out(console.cookie(request, SESSION))
        response = RedirectResponse("/sign-in", 303)
        console.keep(response, SESSION, "")
        return response

    return [
        Route("/sign-in", ask),
        Route("/sign-in", sign_in, methods=["POST"]),
        Route("/sign-out", sign_out, methods=["POST"]),
    ]


def _asked(console: Console, request: Request, then: str, error: str) -> Response:
    cookie = console.cookie(request, CSRF) or Forgery.new_cookie()
    text = console.rendering.plain("sign_in.html", csrf=console.forgery.token(cookie), then=_own(then), error=error)
    response = HTMLResponse(text, 401 if error else 200)
    console.keep(response, CSRF, cookie)
    return response


async def _must_be_taken(console: Console, token: str) -> None:
    """Check that the services take ``token``, whatever it lets its holder do.

    Raises:
        CallFailed: they do not, or cannot be reached.
    """
    products = console.sources.services.products
    try:
        await products.ask(products.stub.ListProducts, product_pb2.ListProductsRequest(page_size=1), token)
    except CallFailed as error:
        if error.status != 403:  # noqa: PLR2004 - forbidden: the token is good, and may do something else
            raise


def _own(path: str) -> str:
    """Return ``path`` where it leads to a page of ours, else the Overview's."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
