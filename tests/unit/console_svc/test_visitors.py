"""Who has signed in, how long, and what a forged form lacks."""

import base64
import json
import time

import pytest

from console_svc.forgery import Forgery
from console_svc.visitors import BadToken, Sessions, Visitor, read_token


def token(**claims: object) -> str:
    def part(content: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    return f"{part({'alg': 'ES256'})}.{part({'sub': 'ann', 'exp': time.time() + 600, **claims})}.signature"


def test_whoever_signs_in_is_known_by_a_random_id_until_signing_out() -> None:
    sessions = Sessions()
    session, _ = sessions.sign_in(token())
    other, _ = sessions.sign_in(token())
    assert session != other
    known = sessions.visitor(session)
    assert known is not None
    assert known.subject == "ann"
    sessions.sign_out(session)
    assert sessions.visitor(session) is None
    assert sessions.visitor(other) is not None


def test_a_session_ends_with_its_token() -> None:
    now = time.time()
    sessions = Sessions(lambda: now)
    session, _ = sessions.sign_in(token(exp=now + 60))
    assert sessions.visitor(session) is not None
    now += 61
    assert sessions.visitor(session) is None


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
        Sessions().sign_in(text)


def test_a_token_is_not_printed_with_its_visitor() -> None:
    text = token()
    assert text not in repr(read_token(text))


def test_a_form_s_token_fits_one_browser_s_cookie_of_one_console() -> None:
    forgery, cookie = Forgery(), Forgery.new_cookie()
    assert forgery.fits(cookie, forgery.token(cookie))
    assert not forgery.fits(Forgery.new_cookie(), forgery.token(cookie))
    assert not forgery.fits("", forgery.token(""))
    assert not forgery.fits(cookie, "")
    assert not forgery.fits(cookie, "é"), "what no page of ours has made is refused like any other"
    assert not Forgery().fits(cookie, forgery.token(cookie))
