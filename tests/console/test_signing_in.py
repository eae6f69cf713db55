"""On a closed stack the console speaks TLS, asks for a token, and does what that token may, and no more."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from devstack.console import Console
from devstack.issuer import Issuer
from devstack.stack import Stack
from sagakit.rpc import local_issuer
from tests.support import axe
from tests.support.oidc_issuer import running
from tests.support.shop import Shop


@pytest.fixture(scope="module")
def closed_console(closed_stack: Stack) -> Iterator[Console]:
    with running(closed_stack.security.operator_token.read_text().strip()) as issuer:
        oidc = {"CONSOLE_OIDC_ISSUER": issuer.url, "CONSOLE_OIDC_CLIENT_ID": "console"}
        closed_stack.console.launch({**closed_stack.console_asks, **oidc})
        closed_stack.console.wait_ready()
        yield closed_stack.console
        closed_stack.console.stop()


@pytest.fixture
def page(browser: Browser, closed_console: Console) -> Iterator[Page]:
    context = browser.new_context(base_url=closed_console.url, ignore_https_errors=True)
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Sign in with it").click()


def test_who_has_no_token_sees_nothing_and_comes_to_where_they_wanted_once_they_have(
    page: Page, closed_stack: Stack
) -> None:
    page.goto("/sagas?status=RUNNING")
    expect(page.get_by_label("Your token")).to_be_visible()
    assert axe.serious(page) == []
    sign_in(page, "not.a.token")
    expect(page.get_by_role("alert")).to_contain_text("cannot be read")
    sign_in(page, closed_stack.security.operator_token.read_text() + "x")
    expect(page.get_by_role("alert")).to_contain_text("Sign in again")
    sign_in(page, closed_stack.security.operator_token.read_text())
    expect(page.get_by_label("Status")).to_have_value("RUNNING")
    expect(page.locator("#connection")).to_have_text("live")
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    session = cookies["__Host-console_session"]
    assert (session["httpOnly"], session["secure"], session["sameSite"]) == (True, True, "Strict")
    page.get_by_role("button", name="Sign out").click()
    page.goto("/sagas")
    expect(page.get_by_label("Your token")).to_be_visible()


def test_who_signs_in_at_an_issuer_comes_back_to_where_they_wanted_to_go(page: Page) -> None:
    page.goto("/sagas?status=COMPENSATED")
    page.get_by_role("link", name="Sign in").click()
    expect(page.get_by_label("Status")).to_have_value("COMPENSATED")
    expect(page.locator("#connection")).to_have_text("live")
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def test_a_sign_in_that_another_browser_has_begun_signs_nobody_in(page: Page, browser: Browser) -> None:
    page.goto("/sign-in")
    theirs = browser.new_context(base_url=page.url, ignore_https_errors=True)
    issuer = theirs.request.get("/sign-in/issuer?next=/", max_redirects=0).headers["location"]
    back = theirs.request.get(issuer, max_redirects=0).headers["location"]
    theirs.close()
    page.goto(back)
    expect(page.get_by_role("alert")).to_contain_text("begun in another browser")
    page.goto("/sagas")
    expect(page.get_by_label("Your token")).to_be_visible()


def test_an_operator_s_name_in_the_history_is_the_token_s(page: Page, closed_stack: Stack) -> None:
    with Shop(closed_stack) as shop:
        order = shop.final(shop.place(shop.product()))
    page.goto(f"/sagas/{order.order_id}")
    sign_in(page, closed_stack.security.operator_token.read_text())
    assert page.get_by_label("Your name").count() == 0
    page.get_by_role("button", name="Send the command again").click()
    expect(page.locator(".notice")).to_contain_text("is sent again")
    expect(page.locator("#live_history")).to_contain_text("operator")


def test_an_operator_sees_lags_and_letters_by_the_console_s_own_logins(page: Page, closed_stack: Stack) -> None:
    with Shop(closed_stack) as shop:
        order = shop.final(shop.place(shop.product()))
    page.goto("/system")
    sign_in(page, closed_stack.security.operator_token.read_text())
    expect(page.locator("#live_topics")).to_contain_text("create-delivery-command")
    expect(page.locator("#live_services .s-completed")).to_have_count(4)
    page.goto("/dead-letters")
    expect(page.locator("#live_letters")).to_contain_text("No dead letters")
    page.goto(f"/sagas/{order.order_id}/messages")
    expect(page.locator("main")).to_contain_text("DecreaseProductCommand")
    expect(page.locator("main")).to_contain_text("DeliveryCreated")


def test_who_may_only_read_has_no_buttons(page: Page, closed_stack: Stack) -> None:
    with Shop(closed_stack) as shop:
        order = shop.final(shop.place(shop.product()))
    issuer, folder = Issuer(closed_stack.folder / "security"), closed_stack.folder / "security"
    key, settings = local_issuer.read_key(folder / "issuer.key"), issuer.settings()
    token = local_issuer.token(
        key,
        issuer=settings["AUTH_ISSUER"],
        audience=settings["AUTH_AUDIENCE"],
        subject="reader",
        scopes=("sagas:read", "orders:read", "orders:any"),
        lifetime_seconds=600,
    )
    page.goto(f"/sagas/{order.order_id}")
    sign_in(page, token)
    expect(page.locator("#live_state")).to_contain_text("All steps are done")
    assert page.get_by_role("button", name="Send the command again").count() == 0
    page.goto("/sagas")
    assert page.get_by_role("button", name="Retry selected").count() == 0
    page.goto("/products")
    expect(page.locator("main")).to_contain_text("products:read")
