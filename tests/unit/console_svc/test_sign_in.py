"""Who signs in: only whose token a service has verified. Dead letters are read by the console's own login."""

import base64
import json
import time
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from console_svc.failures import CallFailed
from console_svc.sign_in import _session
from console_svc.visitors import Sessions


def token() -> str:
    """Return a token that nobody has signed."""
    claims = {"sub": "mallory", "exp": time.time() + 60, "scope": "sagas:operate"}
    return ".".join(base64.urlsafe_b64encode(part).decode() for part in (b"{}", json.dumps(claims).encode(), b"x"))


def console(refusal: CallFailed | None) -> Any:
    """Return as much of a console as signing in needs, whose services answer with ``refusal``."""

    async def ask(*_: object) -> None:
        if refusal:
            raise refusal

    products = SimpleNamespace(ask=ask, stub=SimpleNamespace(ListProducts=None))
    services = SimpleNamespace(products=products)
    return SimpleNamespace(sessions=Sessions(), sources=SimpleNamespace(services=services))


@pytest.mark.parametrize(
    "refusal",
    [None, CallFailed("", grpc.StatusCode.PERMISSION_DENIED, "SCOPE_MISSING")],
    ids=["answered", "lacks-that-scope"],
)
async def test_who_a_service_knows_is_signed_in(refusal: CallFailed | None) -> None:
    signed_in = console(refusal)
    visitor = signed_in.sessions.visitor(await _session(signed_in, token()))
    assert visitor is not None
    assert visitor.subject == "mallory"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        (grpc.StatusCode.PERMISSION_DENIED, "CLIENT_NOT_ALLOWED"),
        (grpc.StatusCode.PERMISSION_DENIED, ""),
        (grpc.StatusCode.UNAVAILABLE, ""),
    ],
)
async def test_who_was_refused_before_the_token_was_looked_at_is_not(code: grpc.StatusCode, reason: str) -> None:
    with pytest.raises(CallFailed):
        await _session(console(CallFailed("", code, reason)), token())
