"""Signing in at an issuer: which browser may come back, by what it has kept, to whichever replica."""

from urllib.parse import parse_qs, urlsplit

import pytest

from console_svc.oidc import Client, Issuer, NotSignedIn
from console_svc.secret import Secret
from tests.support.oidc_issuer import running

CALLBACK = "https://console.shop/sign-in/back"


def replica(url: str, secret: str = "s" * 32) -> Issuer:
    return Issuer(url, Client("console", "", "openid"), Secret(secret).seal("sign-in"))


def query(address: str) -> dict[str, str]:
    return {name: one for name, (one,) in parse_qs(urlsplit(address).query).items()}


async def test_who_has_begun_at_one_replica_comes_back_to_another() -> None:
    with running("the.users.token") as issuer:
        address, kept = await replica(issuer.url).begin(CALLBACK, "/sagas")
        code = query(issuer.authorize(parse_qs(urlsplit(address).query)))["code"]
        token, then = await replica(issuer.url).redeem(kept, query(address)["state"], code)
    assert (token, then) == ("the.users.token", "/sagas")


async def test_what_the_issuer_is_shown_tells_nothing_of_what_redeems_the_code() -> None:
    with running("the.users.token") as issuer:
        address, kept = await replica(issuer.url).begin(CALLBACK, "/sagas")
    shown = query(address)
    assert (shown["redirect_uri"], shown["code_challenge_method"]) == (CALLBACK, "S256")
    assert "code_verifier" not in shown
    assert kept not in address


@pytest.mark.parametrize("case", ["no cookie", "another state", "another secret", "made up"])
async def test_who_has_not_begun_it_in_this_browser_is_not_signed_in(case: str) -> None:
    ours, theirs = replica("http://127.0.0.1:1"), "another state"
    sealed = Secret("s" * 32).seal("sign-in").close('["a state", "verifier", "callback", "/"]')
    kept = {"no cookie": "", "another state": sealed, "another secret": sealed, "made up": "é" * 100}[case]
    if case == "another secret":
        ours, theirs = replica("http://127.0.0.1:1", "t" * 32), "a state"
    with pytest.raises(NotSignedIn, match="in another browser, or too long ago"):
        await ours.redeem(kept, theirs, "code")
