"""Signing in at an issuer: which browser may come back, by what it has kept, to whichever replica."""

import base64
from urllib.parse import parse_qs, urlsplit

import pytest

from console_svc.oidc import Client, Issuer, NotSignedIn
from console_svc.secret import Secret
from tests.support.oidc_issuer import running

CALLBACK = "https://console.shop/sign-in/back"


def replica(url: str, secret: str = "s" * 32, *, own: str = "") -> Issuer:
    return Issuer(url, Client("console", own, "openid"), Secret(secret).seal("sign-in"))


def query(address: str) -> dict[str, str]:
    return {name: one for name, (one,) in parse_qs(urlsplit(address).query).items()}


async def test_who_has_begun_at_one_replica_comes_back_to_another() -> None:
    with running("the.users.token") as issuer:
        address, kept = await replica(issuer.url).begin(CALLBACK, "/sagas")
        back = query(issuer.authorize(parse_qs(urlsplit(address).query)))
        token, then = await replica(issuer.url).redeem(kept, back)
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
    with pytest.raises(NotSignedIn, match="in another browser, or too long ago") as refused:
        await ours.redeem(kept, {"state": theirs, "code": "code", "error": "a text of another site"})
    assert "another site" not in str(refused.value)


@pytest.mark.parametrize(
    ("methods", "in_header"),
    [
        (None, True),
        (["client_secret_basic"], True),
        (["client_secret_post"], False),
        (["client_secret_post", "client_secret_basic"], True),
    ],
    ids=["unsaid", "basic", "post", "both"],
)
async def test_a_client_s_secret_is_shown_as_the_issuer_takes_it(methods: list[str] | None, *, in_header: bool) -> None:
    with running("the.users.token") as issuer:
        issuer.methods = methods
        ours = replica(issuer.url, own="se:cret é")
        address, kept = await ours.begin(CALLBACK, "/sagas")
        await ours.redeem(kept, query(issuer.authorize(parse_qs(urlsplit(address).query))))
    ((header, form),) = issuer.shown
    if in_header:
        assert header == f"Basic {base64.b64encode(b'console:se%3Acret+%C3%A9').decode()}"
        assert not {"client_id", "client_secret"} & set(form)
    else:
        assert header is None
        assert (form["client_id"], form["client_secret"]) == (["console"], ["se:cret é"])


async def test_a_public_client_shows_its_id_alone() -> None:
    with running("the.users.token") as issuer:
        address, kept = await replica(issuer.url).begin(CALLBACK, "/sagas")
        await replica(issuer.url).redeem(kept, query(issuer.authorize(parse_qs(urlsplit(address).query))))
    ((header, form),) = issuer.shown
    assert (header, form["client_id"], "client_secret" in form) == (None, ["console"], False)


async def test_why_the_issuer_signs_nobody_in_is_said() -> None:
    with running("the.users.token") as issuer:
        ours = replica(issuer.url)
        address, kept = await ours.begin(CALLBACK, "/sagas")
        refusal = {"error": "access_denied", "error_description": "You are not in the group\n operators."}
        with pytest.raises(NotSignedIn, match=r"says access_denied: You are not in the group operators. Begin"):
            await ours.redeem(kept, {"state": query(address)["state"], **refusal})
        back = query(issuer.authorize(parse_qs(urlsplit(address).query)))
        await ours.redeem(kept, back)
        with pytest.raises(NotSignedIn, match=r"status 400, and says invalid_grant: The code was used before. Begin"):
            await ours.redeem(kept, back)


async def test_an_issuer_outside_is_asked_by_the_environment_s_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with running("the.users.token") as issuer:
        monkeypatch.setenv("http_proxy", issuer.url)  # it answers in another's name, as proxies do
        issuer.url = "http://127.0.0.1:1"
        address, _ = await replica(issuer.url).begin(CALLBACK, "/sagas")
    assert address.startswith("http://127.0.0.1:1/authorization?")
