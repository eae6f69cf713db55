"""Requests that no page of the console has made are refused, and nothing is done."""

import pytest
from playwright.sync_api import BrowserContext, Page

from devstack.console import Console
from tests.support.shop import Shop

ACTIONS = ["/sagas/{order}/retry", "/sagas/{order}/cancel", "/bulk", "/orders", "/products", "/products/restock"]


@pytest.mark.parametrize("path", [*ACTIONS, "/dead-letters"])
def test_a_form_without_the_browser_s_token_is_refused(
    context: BrowserContext, console: Console, shop: Shop, path: str
) -> None:
    order = shop.final(shop.place(shop.product()))
    before = shop.saga(order).saga.version
    context.request.get("/")  # the browser has its cookie
    address = path.format(order=order.order_id)
    form: dict[str, str | float | bool] = {"actor": "mallory", "reason": "a try", "csrf": "0" * 64}
    same_origin = context.request.post(address, form=form, headers={"origin": console.url}, max_redirects=0)
    assert same_origin.status == 403
    elsewhere = context.request.post(address, form=form, headers={"origin": "https://evil.example"}, max_redirects=0)
    assert elsewhere.status == 403
    assert shop.saga(order).saga.version == before


@pytest.mark.parametrize("path", ["/sagas/1/retry", "/sagas/1/cancel", "/products/restock"])
def test_nothing_is_done_by_get(context: BrowserContext, path: str) -> None:
    assert context.request.get(path).status in {404, 405}


def test_another_site_s_form_is_not_taken(page: Page, console: Console, shop: Shop) -> None:
    order = shop.final(shop.place(shop.product()))
    before = shop.saga(order).saga.version
    page.goto("/")  # the browser has our cookies
    page.goto("about:blank")
    page.set_content(
        f'<form method="post" action="{console.url}/sagas/{order.order_id}/retry"><input name="actor"></form>'
    )
    with page.expect_navigation() as sent:
        page.evaluate("document.forms[0].submit()")
    assert sent.value is not None
    assert sent.value.status == 403
    assert shop.saga(order).saga.version == before
