"""The console where nothing answers it, and asked for odd things: each gets a page that says so, and none an error."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from console_svc.guard import POLICY
from console_svc.kafka import KafkaView
from console_svc.live import _open
from console_svc.rendering import Rendering
from console_svc.visitors import Visitor, read_token
from tests.support.asked_console import OWN, asking, form


@pytest.mark.parametrize(
    "path",
    [f"/sagas/{'9' * 5000}", f"/sagas/{2**63}", f"/products/{2**63}", "/products/²", "/sagas/x/messages"],
    ids=["digits", "large", "large product", "no digit", "no number"],
)
async def test_an_id_that_nothing_can_have_is_not_found(path: str) -> None:
    async with asking() as alone:
        answer = await alone.get(path)
        assert answer.status_code == 404
        assert "whole number above zero" in answer.text


async def test_who_asks_for_a_page_that_does_not_exist_gets_one_that_leads_on() -> None:
    async with asking() as alone:
        answer = await alone.get("/nope")
        assert answer.status_code == 404
        assert "No page is at this address." in answer.text
        assert 'href="/dead-letters"' in answer.text
        assert (await alone.get("/sagas/", follow_redirects=False)).headers["location"].endswith("/sagas")
        assert (await alone.get("/static/nope.js")).text == "Not Found"
        assert (await alone.post("/nope", headers=OWN)).text == "Not Found"


async def test_where_nothing_is_known_no_number_is_told() -> None:
    async with asking() as alone:
        overview = (await alone.get("/")).text
        assert "No saga has begun yet" not in overview
        assert "<b>0</b><span>stuck" not in overview
        assert "nobody has dealt with" not in (await alone.get("/dead-letters")).text


async def test_a_letter_that_cannot_be_looked_for_is_not_said_to_be_dealt_with() -> None:
    async with asking() as alone:
        answer = await alone.get("/dead-letters/order_svc/0-0")
        assert answer.status_code == 502
        assert "Kafka" in answer.text


async def test_who_tries_again_gets_the_same_filter() -> None:
    async with asking() as alone:
        assert 'href="/sagas?status=RUNNING&amp;step=x"' in (await alone.get("/sagas?status=RUNNING&step=x")).text


async def test_a_name_of_any_letters_is_kept_for_the_next_form() -> None:
    async with asking() as alone:
        fields = await form(alone, "/dead-letters", actor="Łukasz")
        assert (await alone.post("/sagas/5/retry", data=fields, headers=OWN)).status_code == 303
        assert "%C5%81ukasz" in alone.cookies["console_name"]


async def test_a_fault_of_ours_has_the_headers_of_every_page(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Rendering, "page", fail)
    async with asking() as alone:
        answer = await alone.get("/dead-letters")
        assert answer.status_code == 500
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["g", "g/", "/key", "g g/key"])
async def test_a_forged_name_of_a_letter_is_refused_in_words(name: str) -> None:
    async with asking(kafka=KafkaView()) as alone:
        fields = {**await form(alone, "/dead-letters"), "do": "drop", "letter": ["g/key", name]}
        answer = await alone.post("/dead-letters", data=fields, headers=OWN)
        assert answer.headers["location"] == "/dead-letters"
        assert f"No dead letter is called &#39;{name}" in (await alone.get("/dead-letters")).text


def test_a_page_that_is_no_address_leaves_the_stream_to_the_others() -> None:
    anybody: Any = SimpleNamespace(visitor=lambda _: Visitor())
    assert _open(anybody, [], anybody, "//[") is None


async def test_a_browser_that_is_signed_out_is_told_so_by_the_stream() -> None:
    async with asking(auth_mode="jwt") as closed:
        assert "signed-out" in (await closed.get("/live?on=/")).text


async def test_who_is_signed_out_comes_back_to_a_page_and_not_to_an_action() -> None:
    async with asking(auth_mode="jwt") as closed:
        answer = await closed.post("/sagas/5/retry", data={}, headers=OWN)
        assert answer.headers["location"] == "/sign-in?next=%2Fsagas%2F5"


@pytest.mark.parametrize("claims", ["[" * 20_000, '{"sub": "a", "exp": 1' + "0" * 400 + "}"], ids=["deep", "late"])
async def test_a_token_made_to_break_its_reader_is_refused_in_words(claims: str) -> None:
    async with asking(auth_mode="jwt") as closed:
        token = f"{base64.urlsafe_b64encode(b'{}').decode()}.{base64.urlsafe_b64encode(claims.encode()).decode()}.x"
        answer = await closed.post("/sign-in", data=await form(closed, "/sign-in", token=token), headers=OWN)
        assert answer.status_code == 401
        assert "cannot be read" in answer.text


def test_an_end_that_is_no_number_does_not_outlive_the_longest_session() -> None:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "a", "exp": float("nan")}).encode()).decode()
    assert read_token(f"x.{claims}.x").expires < float("inf")
