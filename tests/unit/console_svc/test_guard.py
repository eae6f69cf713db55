"""The console's door: whom it answers, what it refuses, and which headers stand on every answer."""

import asyncio

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from console_svc.guard import Guard

OWN = "127.0.0.1:8088"


def ask(
    headers: dict[str, str], *, method: str = "GET", hosts: frozenset[str] = frozenset()
) -> tuple[int, dict[str, str]]:
    """Send one request through the door; return the status and the headers of the answer."""
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "method": method,
        "scheme": "http",
        "path": "/",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(Guard(PlainTextResponse("in"), hosts)(scope, receive, send))
    start = sent[0]
    return start["status"], {name.decode(): value.decode() for name, value in start["headers"]}


@pytest.mark.parametrize("host", [OWN, "localhost:8088", "[::1]:8088", "127.0.0.1"])
def test_a_console_of_one_s_own_machine_is_called_by_loopback_s_names(host: str) -> None:
    assert ask({"host": host})[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8088", "127.0.0.1.evil.example", "", "[oops"])
def test_a_name_that_somebody_else_s_dns_gives_it_is_refused(host: str) -> None:
    assert ask({"host": host})[0] == 421


def test_where_hosts_are_named_these_alone_are_answered() -> None:
    hosts = frozenset({"console.shop"})
    assert ask({"host": "console.shop"}, hosts=hosts)[0] == 200
    assert ask({"host": OWN}, hosts=hosts)[0] == 421


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example", "sec-fetch-site": "cross-site"},
        {"origin": f"http://{OWN}", "sec-fetch-site": "cross-site"},
        {"origin": "http://127.0.0.1:9999", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": "null", "sec-fetch-site": "cross-site"},
        {},
    ],
    ids=["another site", "a lie", "another port", "no origin", "a frame without an origin", "no browser at all"],
)
def test_what_changes_something_comes_from_a_page_of_ours_or_not_at_all(headers: dict[str, str]) -> None:
    assert ask({"host": OWN, **headers}, method="POST")[0] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": f"http://{OWN}", "sec-fetch-site": "same-origin"},
        {"origin": "null", "sec-fetch-site": "same-origin"},
        {"origin": f"http://{OWN}"},
    ],
    ids=["a script", "a form that has no referrer", "an old browser"],
)
def test_our_own_page_may_post(headers: dict[str, str]) -> None:
    assert ask({"host": OWN, **headers}, method="POST")[0] == 200


@pytest.mark.parametrize("host", [OWN, "evil.example"], ids=["answered", "refused"])
def test_every_answer_says_what_the_page_may_do(host: str) -> None:
    _, headers = ask({"host": host})
    policy = headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert not any("unsafe" in one or "http" in one for one in policy)
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-opener-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
