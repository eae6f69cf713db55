"""The console as an ASGI application: its pages, its actions, its stream, and the door before them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import grpc
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Scope

from console_svc import (
    bulk,
    job,
    letters,
    live,
    orders,
    overview,
    product,
    products,
    saga,
    saga_messages,
    sagas,
    sign_in,
    system,
)
from console_svc.acting import acted
from console_svc.console import Console
from console_svc.failures import CallFailed
from console_svc.forgery import Forgery
from console_svc.guard import Guard
from console_svc.hub import Hubs
from console_svc.rendering import STATIC, Rendering, colour_of
from console_svc.settings import ConsoleSettings
from console_svc.showing import shown
from console_svc.sources import Sources
from console_svc.visit import Page, Visit
from console_svc.visitors import Sessions

LARGEST_BODY = 65_536
PAGES = (
    overview.PAGE, sagas.PAGE, bulk.PAGE, saga.PAGE, saga_messages.PAGE, orders.PAGE, products.PAGE, product.PAGE,
    letters.PAGE, letters.ONE, job.PAGE, system.PAGE,
)  # fmt: skip
ACTIONS = (*saga.ACTIONS, *bulk.ACTIONS, *orders.ACTIONS, *products.ACTIONS, *letters.ACTIONS)


async def _nothing(_: Visit) -> dict[str, object]:
    return {}


async def _nowhere(_: Visit) -> dict[str, object]:
    raise CallFailed("No page is at this address.", grpc.StatusCode.NOT_FOUND, "")


FAILED = Page("", "Not shown", "failed.html", _nothing)
NOWHERE = Page("", "Not found", "failed.html", _nowhere)
_SCRIPTS_AND_STYLES = "/static/"


def console_of(settings: ConsoleSettings) -> Console:
    """Return what all requests of a console with ``settings`` share."""
    sources = Sources.of(settings)
    rendering = Rendering(
        settings.console_environment,
        signs_in=settings.auth_mode == "jwt",
        shows_addresses=settings.console_show_addresses == "yes",
        trace_url=settings.console_trace_url,
    )
    secret = settings.secret()
    return Console(
        settings,
        sources,
        Hubs(sources),
        Sessions(secret.seal("session")),
        Forgery(secret.key("forms")),
        rendering,
        settings.issuer(secret),
        secret.seal("notice"),
    )


def application(console: Console) -> ASGIApp:
    """Return the application that serves ``console``. The guard is outermost: faults bypass middleware."""
    pages = [(Route(page.path, shown(console, page, FAILED)), page) for page in PAGES]
    others: list[BaseRoute] = [
        live.stream(console, pages),
        *(Route(action.path, acted(console, action), methods=["POST"]) for action in ACTIONS),
        *sign_in.routes(console),
        *_of_the_environment(console),
        Route("/healthz", _alive),
        Mount("/static", _Kept(directory=STATIC)),
    ]

    @asynccontextmanager
    async def life(_: Starlette) -> AsyncIterator[None]:
        meeting = asyncio.create_task(console.sources.meet())
        yield
        meeting.cancel()
        await console.hubs.close()
        await console.sources.close()

    routes = [*(route for route, _ in pages), *others]
    inside = Starlette(
        routes=routes, lifespan=life, max_body_size=LARGEST_BODY, exception_handlers={404: _lost(console)}
    )
    return Guard(inside, console.settings.allowed_hosts)


def _lost(console: Console) -> Callable[[Request, Exception], Awaitable[Response]]:
    """Return what answers whoever asks for what is not there: a page that leads on, where a person may have asked."""
    show = shown(console, NOWHERE, FAILED)

    async def answer(request: Request, _: Exception) -> Response:
        is_page = request.method in {"GET", "HEAD"} and not request.url.path.startswith(_SCRIPTS_AND_STYLES)
        return await show(request) if is_page else PlainTextResponse("Not Found", 404)

    return answer


class _Kept(StaticFiles):
    """Files whose addresses have a digest of their contents, so that a browser may keep them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file at ``path``."""
        response = await super().get_response(path, scope)
        response.headers["cache-control"] = "public, max-age=31536000, immutable"
        return response


async def _alive(_: Request) -> Response:
    return PlainTextResponse("alive\n")


def _of_the_environment(console: Console) -> list[Route]:
    """Return the routes of what shows the environment's colour: an icon and a style sheet, as nothing is inline."""
    name = console.settings.console_environment
    colour = colour_of(name)
    icon = console.rendering.plain("icon.svg", colour=colour, letter=name[0].upper())

    async def draw(_: Request) -> Response:
        return HTMLResponse(icon, media_type="image/svg+xml", headers={"cache-control": "max-age=3600"})

    async def style(_: Request) -> Response:
        text = f":root {{ --env: {colour}; }}\n"
        return HTMLResponse(text, media_type="text/css", headers={"cache-control": "max-age=3600"})

    return [Route("/icon.svg", draw), Route("/environment.css", style)]
