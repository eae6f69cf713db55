"""Every page, wide and narrow, light and dark: nothing is cut off, and all has a name. Pictures: ``.screens/``."""

import shutil
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from devstack.console import Console
from devstack.stack import Stack
from tests.support import axe
from tests.support.kafka import send
from tests.support.shop import Shop
from tools.paths import ROOT

SCREENS = ROOT / ".screens"
PAGES = [
    "overview",
    "sagas",
    "saga",
    "waiting",
    "messages",
    "bulk",
    "orders",
    "products",
    "product",
    "job",
    "letters",
    "letter",
    "system",
    "missing",
]
IDS_TWICE = "all => all.map(one => one.id).filter((id, at, ids) => ids.indexOf(id) !== at)"
NAMELESS = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, [role=img]")]
  .filter((one) => !(one.labels?.length && one.labels[0].textContent.trim()) && !one.ariaLabel
    && !one.getAttribute("aria-label") && !one.textContent.trim())
  .map((one) => one.outerHTML)"""


@pytest.fixture(scope="module")
def paths(stack: Stack) -> Iterator[dict[str, str]]:
    """The address of each page, on a stack that has something to show: one saga waits for a service that is away."""
    shutil.rmtree(SCREENS, ignore_errors=True)
    SCREENS.mkdir()
    with Shop(stack) as shop:
        product = shop.product()
        done = shop.finals([shop.place(product) for _ in range(3)], 30.0)
        shop.final(shop.place(product, price=1))
        send(stack.bootstrap, "decrease-product-command", b"7", b"rubbish", {"message-id": b"of nobody"})
        stack.service("delivery_svc").stop()
        waiting = shop.place(product)
    letters = "/dead-letters?group=product_svc&reason=NO_MESSAGE_TYPE"
    yield {
        "overview": "/",
        "sagas": "/sagas",
        "saga": f"/sagas/{done[0].order_id}",
        "messages": f"/sagas/{done[0].order_id}/messages",
        "waiting": f"/sagas/{waiting.order_id}",
        "bulk": f"/bulk?do=cancel&order={waiting.order_id}",
        "job": f"/bulk?do=retry&order={waiting.order_id}",
        "orders": "/orders",
        "products": "/products",
        "product": f"/products/{product}",
        "letters": letters,
        "letter": letters,
        "system": "/system",
        "missing": "/sagas/999999999",
    }
    stack.service("delivery_svc").start()


@pytest.fixture(params=[1280, 390])
def width(request: pytest.FixtureRequest) -> int:
    found: int = request.param
    return found


@pytest.fixture(params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> Literal["light", "dark"]:
    found: Literal["light", "dark"] = request.param
    return found


@pytest.fixture
def page(browser: Browser, console: Console, width: int, scheme: Literal["light", "dark"]) -> Iterator[Page]:
    context = browser.new_context(
        base_url=console.url, viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce"
    )
    context.set_default_timeout(15_000)
    yield context.new_page()
    context.close()


MARK = """svg => {
  svg.insertAdjacentHTML("beforeend", '<g class="box undo is-stuck"><a><rect/></a><a class="mark bad"><rect/></a></g>');
  return [...svg.lastElementChild.querySelectorAll("rect")].map((one) => getComputedStyle(one).strokeDasharray);
}"""


def test_a_mark_on_the_dashed_box_of_an_undo_is_not_dashed(page: Page) -> None:
    page.goto("/")
    box, mark = page.locator(".saga-drawing").first.evaluate(MARK)
    assert (box != "none", mark) == (True, "none")


def test_the_last_of_the_pages_names_can_be_read_and_fades_where_more_follow(page: Page, width: int) -> None:
    page.goto("/")
    names = page.locator(".bar nav")
    fades = names.evaluate("one => getComputedStyle(one).maskImage !== 'none'")
    assert fades == (width < 760)
    names.evaluate("one => one.scrollTo(one.scrollWidth, 0)")
    room = names.evaluate(
        "one => one.getBoundingClientRect().right - one.lastElementChild.getBoundingClientRect().right"
    )
    assert room >= (20 if fades else 0)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_everything_in_it_has_a_name(
    page: Page, paths: dict[str, str], name: str, width: int, scheme: str
) -> None:
    page.goto(paths[name])
    if name in {"letters", "letter"}:
        expect(page.locator("#live_letters tbody tr").first).to_be_visible()
    if name == "letter":
        page.locator("#live_letters tbody a").first.click()
        expect(page.locator("pre")).to_be_visible()
    if name == "job":
        page.get_by_label("Your name").fill("ann")
        page.get_by_role("button", name="Retry 1 saga").click()
        expect(page.locator("#live_progress")).to_contain_text("1 of 1 done")
    expect(page.locator("#connection")).to_have_text("live")
    picture = SCREENS / f"{name}-{width}-{scheme}.png"
    page.screenshot(path=picture, full_page=True)
    assert picture.stat().st_size > 10_000
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "it has to be scrolled sideways"
    assert page.locator("h1").count() == 1
    assert page.locator("main, nav[aria-label=Pages]").count() >= 2
    assert page.locator("[id]").evaluate_all(IDS_TWICE) == []
    assert page.evaluate(NAMELESS) == []
    assert axe.serious(page) == []
