"""POST: something is done, and the browser goes on to a page that says what came of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from urllib.parse import parse_qsl, quote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from console_svc.console import CSRF, NAME, Console, Notice
from console_svc.failures import CallFailed
from console_svc.forgery import FIELD
from console_svc.numbers import positive
from console_svc.showing import Endpoint, to_sign_in
from console_svc.visit import Visit

_YEAR_SECONDS = 31_536_000
_LONGEST_NAME = 100
_STALE = "This page is older than the console's last start, or its cookie is gone. Go back, reload it, and try again.\n"
_NOT_A_FORM = "Only forms are taken here.\n"


class Refused(Exception):
    """What was asked for cannot be done; the text is a sentence that says why."""


@dataclass(frozen=True)
class Form:
    """What a browser has sent."""

    fields: tuple[tuple[str, str], ...]

    def text(self, name: str) -> str:
        """Return a field without blanks around it; empty where it is missing."""
        return dict(self.fields).get(name, "").strip()

    def every(self, name: str) -> list[str]:
        """Return all values of a field that may come several times."""
        return [value for field, value in self.fields if field == name]

    def number(self, name: str, what: str) -> int:
        """Return a field that is a positive whole number.

        Raises:
            Refused: it is none.
        """
        number = positive(self.text(name))
        if number is None:
            raise Refused(f"{what} must be a whole number above zero.")
        return number


@dataclass(frozen=True)
class Done:
    """What came of an action."""

    text: str
    """A sentence; empty where the page says it all."""
    next: str
    """The address of the page to go to."""


@dataclass(frozen=True)
class Action:
    """Something that a visitor can have done."""

    path: str
    back: str
    """The page to go to where it fails; ``{order_id}`` and the like are those of the path."""
    scope: str
    act: Callable[[Visit, Form], Awaitable[Done]]


def acted(console: Console, action: Action) -> Endpoint:
    """Return the endpoint of ``action``."""

    async def act(request: Request) -> Response:
        visitor = console.visitor(request)
        if visitor is None:
            return to_sign_in(_filled(action.back, request.path_params))
        form = await read_form(request)
        if form is None:
            return PlainTextResponse(_NOT_A_FORM, 415)
        cookie = console.cookie(request, CSRF)
        if not console.forgery.fits(cookie, form.text(FIELD)):
            return PlainTextResponse(_STALE, 403)
        parts = {name: str(value) for name, value in request.path_params.items()}
        visit = console.visit(request, visitor, cookie, (request.url.path, QueryParams(), parts))
        return await _result(console, action, replace(visit, acts=True), form)

    return act


async def read_form(request: Request) -> Form | None:
    """Return the form in a request's body; None where there is something else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
        return None
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=2_000)
    except ValueError:
        return None
    return Form(tuple(pairs))


async def _result(console: Console, action: Action, visit: Visit, form: Form) -> Response:
    name = visit.visitor.subject or form.text("actor")[:_LONGEST_NAME]
    try:
        _must_be_allowed(visit, action.scope)
        done = await action.act(visit, form)
    except (CallFailed, Refused) as error:
        response: Response = RedirectResponse(_filled(action.back, visit.parts), 303)
        console.tell(response, Notice("bad", str(error)))
    else:
        response = RedirectResponse(done.next, 303)
        if done.text:
            console.tell(response, Notice("good", done.text))
    if name and not visit.visitor.subject:
        console.keep(response, NAME, quote(name), _YEAR_SECONDS)  # a cookie has no letters beyond Latin
    return response


def _must_be_allowed(visit: Visit, scope: str) -> None:
    if not visit.visitor.may(scope):
        raise Refused(f"Your token lacks the scope {scope}. Ask its issuer for it.")


def _filled(path: str, parts: Mapping[str, str]) -> str:
    return path.format_map(dict(parts))


def actor_of(visit: Visit, form: Form) -> str:
    """Return under which name something is done.

    Raises:
        Refused: nobody has said.
    """
    actor = visit.visitor.subject or form.text("actor")
    if not actor:
        raise Refused("Say who you are: your name stands in the history.")
    return actor[:_LONGEST_NAME]
