"""Dead letters are read and dealt with by the console's own login: only for whom a service knows at that moment."""

from types import SimpleNamespace
from typing import Any

import grpc
import pytest

from console_svc import letters
from console_svc.acting import Form
from console_svc.failures import CallFailed
from console_svc.visitors import Visitor

WITHDRAWN = CallFailed("", grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID")


def visit() -> Any:
    """Return a look by one whose token was good at signing in, and is taken no more."""

    async def ask(*_: object) -> None:
        raise WITHDRAWN

    service = SimpleNamespace(ask=ask, stub=SimpleNamespace(ListProducts=None))
    services = SimpleNamespace(products=service, sagas=service, deliveries=service)
    visitor = Visitor("a token", "ann", frozenset({"sagas:read", "sagas:operate"}))
    return SimpleNamespace(visitor=visitor, services=services)


async def test_a_token_that_is_taken_no_more_shows_no_dead_letter() -> None:
    for load in (letters.load, letters.load_one):
        with pytest.raises(CallFailed) as refused:
            await load(visit())
        assert refused.value is WITHDRAWN


async def test_a_token_that_is_taken_no_more_drops_no_dead_letter() -> None:
    form = Form((("do", "drop"), ("letter", "order_svc/letter")))
    with pytest.raises(CallFailed) as refused:
        await letters.deal(visit(), form)
    assert refused.value is WITHDRAWN
