"""Who has signed in, how long, and what a forged form lacks."""

import base64
import json
import re
import secrets
import time
from collections.abc import Callable

import pytest

from console_svc.forgery import Forgery
from console_svc.secret import Secret
from console_svc.visitors import BadToken, Sessions, Visitor, read_token


def token(**claims: object) -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'ES256'})}.{part({'sub': 'ann', 'exp': time.time() + 600, **claims})}.signature"


def sessions(secret: str | None = None, now: Callable[[], float] = time.time) -> Sessions:
    return Sessions(Secret(secret).seal("session"), now)


def test_whoever_signs_in_is_known_by_what_the_browser_keeps() -> None:
    ours = sessions()
    session = ours.sign_in(token())
    assert session != ours.sign_in(token())
    known = ours.visitor(session)
    assert known is not None
    assert known.subject == "ann"
    assert ours.visitor("") is None
    assert ours.visitor(session[:-8] + "AAAAAAA=") is None


def test_replicas_with_the_same_secret_know_each_other_s_visitors_and_others_do_not() -> None:
    session = sessions("s" * 32).sign_in(token())
    assert sessions("s" * 32).visitor(session) is not None
    assert sessions("t" * 32).visitor(session) is None
    assert sessions().visitor(session) is None


def test_what_was_sealed_for_something_else_signs_nobody_in() -> None:
    secret = Secret("s" * 32)
    assert Sessions(secret.seal("session")).visitor(secret.seal("notice").close(token())) is None


def test_a_browser_keeps_a_token_that_nobody_else_reads() -> None:
    text = token()
    assert not set(text.split(".")) & set(re.split(r"[^\w-]", sessions().sign_in(text)))


def test_a_session_ends_with_its_token() -> None:
    now = time.time()
    ours = sessions(now=lambda: now)
    session = ours.sign_in(token(exp=now + 60))
    assert ours.visitor(session) is not None
    now += 61
    assert ours.visitor(session) is None


def test_a_session_ends_after_half_a_day_however_long_its_token_lasts(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, now = sessions(), time.time()
    session = ours.sign_in(token(exp=now + 30 * 86_400))
    monkeypatch.setattr(time, "time", lambda: now + 12 * 3600 + 5)
    assert ours.visitor(session) is None


def test_a_token_that_no_cookie_can_hold_is_refused_in_words() -> None:
    claims = {"groups": [secrets.token_hex(16) for _ in range(200)]}
    with pytest.raises(BadToken, match="too long for a cookie"):
        sessions().sign_in(token(**claims))


@pytest.mark.parametrize("scope", ["sagas:read sagas:operate", ["sagas:read", "sagas:operate"]], ids=["text", "list"])
def test_a_token_s_scopes_say_which_buttons_there_are(scope: object) -> None:
    visitor = read_token(token(scope=scope))
    assert visitor.may("sagas:operate")
    assert not visitor.may("products:write")
    assert Visitor().may("products:write"), "where no token is asked for everybody may do everything"


def test_scopes_are_parted_as_the_services_part_them() -> None:
    assert not read_token(token(scope="reports\u00a0sagas:operate")).may("sagas:operate")


@pytest.mark.parametrize(
    "text",
    ["", "abc", "a.b.c", token(exp=None), token(sub=None) + ".more", token(exp=1.0)],
    ids=["nothing", "no dots", "no JSON", "no end", "too many parts", "expired"],
)
def test_what_is_no_usable_token_is_refused_in_words(text: str) -> None:
    with pytest.raises(BadToken, match="oken"):
        sessions().sign_in(text)


def test_a_token_is_not_printed_with_its_visitor() -> None:
    text = token()
    assert text not in repr(read_token(text))


def test_a_form_s_token_fits_one_browser_s_cookie_of_one_console() -> None:
    forgery, cookie = Forgery(Secret().key("forms")), Forgery.new_cookie()
    assert forgery.fits(cookie, forgery.token(cookie))
    assert not forgery.fits(Forgery.new_cookie(), forgery.token(cookie))
    assert not forgery.fits("", forgery.token(""))
    assert not forgery.fits(cookie, "")
    assert not forgery.fits(cookie, "é"), "what no page of ours has made is refused like any other"
    assert not Forgery(Secret().key("forms")).fits(cookie, forgery.token(cookie))
