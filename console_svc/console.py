"""What all requests share, and how a request becomes a look at a page."""

import json
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple
from urllib.parse import unquote

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from console_svc import words
from console_svc.forgery import Forgery
from console_svc.hub import Hubs
from console_svc.oidc import Issuer
from console_svc.rendering import Rendering
from console_svc.secret import Seal
from console_svc.settings import ConsoleSettings
from console_svc.sources import Sources
from console_svc.visit import Visit
from console_svc.visitors import Sessions, Visitor

CSRF, SESSION, NAME, NOTICE, STATE = (
    "console_csrf", "console_session", "console_name", "console_notice", "console_state",
)  # fmt: skip
"""The cookies that no script can read."""
ZONE = "console_zone"
"""The cookie of the zone in which times are shown, which the page's script writes."""
_NOTICE_SECONDS: Final = 60
_LONGEST_NOTICE: Final = 2000


class Notice(NamedTuple):
    """What is told once, on the next page that a browser sees."""

    tone: Literal["good", "bad"]
    text: str


@dataclass
class Console:
    """What all requests share."""

    settings: ConsoleSettings
    sources: Sources
    hubs: Hubs
    sessions: Sessions
    forgery: Forgery
    rendering: Rendering
    issuer: Issuer | None
    """Where visitors sign in, where that is not by a pasted token alone."""
    notices: Seal
    """What seals notices."""
    closing: bool = False
    """Whether the process is about to end, so that streams end as well."""

    @property
    def signs_in(self) -> bool:
        """Whether visitors need a token."""
        return self.settings.auth_mode == "jwt"

    def visitor(self, request: Request) -> Visitor | None:
        """Return who asks; None where nobody has signed in, and somebody must."""
        return self.sessions.visitor(self.cookie(request, SESSION)) if self.signs_in else Visitor()

    def cookie(self, request: Request, name: str) -> str:
        """Return one of the browser's cookies; empty where it has none."""
        return request.cookies.get(self._full(name), "")

    def keep(self, response: Response, name: str, value: str, seconds: int | None = None) -> None:
        """Have the browser keep a cookie that no script can read and no other site can have sent, or forget it.

        It is forgotten where ``value`` is empty, and else after ``seconds``, or when the browser is closed.
        """
        response.set_cookie(
            self._full(name),
            value,
            seconds if value else 0,
            secure=self._is_secure,
            httponly=True,
            samesite="strict",
        )

    def keep_across(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Have the browser keep a cookie that comes along when another site leads back to us."""
        response.set_cookie(self._full(name), value, seconds, secure=self._is_secure, httponly=True, samesite="lax")

    def tell(self, response: Response, notice: Notice) -> None:
        """Have the next page that this browser sees say ``notice``."""
        text = json.dumps([notice.tone, notice.text[:_LONGEST_NOTICE]])
        self.keep(response, NOTICE, self.notices.close(text), _NOTICE_SECONDS)

    def told(self, request: Request) -> Notice | None:
        """Return what this browser is to be told; whoever shows it has the browser forget it."""
        text = self.notices.open(self.cookie(request, NOTICE), _NOTICE_SECONDS)
        return None if text is None else Notice(*json.loads(text))

    def visit(
        self, request: Request, visitor: Visitor, csrf_cookie: str, at: tuple[str, QueryParams, dict[str, str]]
    ) -> Visit:
        """Return a look by ``visitor`` at a page: its path, its query, and what the path names."""
        path, query, parts = at
        return Visit(
            sources=self.sources,
            hub=self.hubs.of(visitor.token),
            visitor=visitor,
            path=path,
            query=query,
            parts=parts,
            actor=visitor.subject or unquote(self.cookie(request, NAME)),
            csrf=self.forgery.token(csrf_cookie),
            zone=words.zone_named(request.cookies.get(ZONE, "")),
        )

    @property
    def _is_secure(self) -> bool:
        return self.settings.console_tls_certificate is not None

    def _full(self, name: str) -> str:
        """Return a cookie's name; over TLS one that no other host and no clear text can set."""
        return f"__Host-{name}" if self._is_secure else name
