"""Who signs in: only whose token a service has verified. Dead letters are read by the console's own login."""

import base64
import json
import time
from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from console_svc.failures import CallFailed
from console_svc.secret import Secret
from console_svc.sign_in import _session
from console_svc.visitors import Sessions


def token() -> str:
    """Return a token that nobody has signed."""
    claims = {"sub": "mallory", "exp": time.time() + 60, "scope": "sagas:operate"}
    return ".".join(base64.urlsafe_b64encode(part).decode() for part in (b"{}", json.dumps(claims).encode(), b"x"))


def console(*refusals: CallFailed | None) -> Any:
    """Return as much of a console as signing in needs: products, sagas and deliveries answer with ``refusals``.

    Where there is one it is that of all three; None is a good answer.
    """

    def service(refusal: CallFailed | None) -> Any:
        async def ask(*_: object) -> None:
            if refusal:
                raise refusal

        return SimpleNamespace(ask=ask, stub=SimpleNamespace(ListProducts=None, ListSagas=None, ListDeliveries=None))

    three = refusals if len(refusals) > 1 else refusals * 3
    services = SimpleNamespace(**dict(zip(("products", "sagas", "deliveries"), map(service, three), strict=True)))
    return SimpleNamespace(sessions=Sessions(Secret().seal("session")), sources=SimpleNamespace(services=services))


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


AWAY = CallFailed("", grpc.StatusCode.UNAVAILABLE, "")
BAD = CallFailed("", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


async def test_who_comes_while_a_service_is_away_is_known_by_the_next() -> None:
    assert await _session(console(AWAY, AWAY, None), token())


async def test_a_bad_token_is_refused_by_the_next_as_well() -> None:
    with pytest.raises(CallFailed) as refused:
        await _session(console(AWAY, BAD, None), token())
    assert refused.value is BAD


async def test_a_service_that_refuses_is_believed_whatever_the_next_would_say() -> None:
    with pytest.raises(CallFailed):
        await _session(console(BAD, None, None), token())
