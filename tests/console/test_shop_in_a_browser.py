"""An operator before a browser: orders are placed, products restocked, many sagas retried; why a service is away."""

import re

from playwright.sync_api import Page, expect

from devstack.revision import version
from devstack.stack import Stack
from tests.support.shop import Shop, new_user


def test_an_order_is_placed_and_its_saga_watched_to_its_end(page: Page, shop: Shop) -> None:
    user = new_user() % 10**9 + 1
    page.goto("/orders")
    page.get_by_label("Product").select_option(index=0)
    page.locator("#place").get_by_label("User").fill(str(user))
    page.locator("#place").get_by_label("Address").fill("Main Street 1")
    page.get_by_role("button", name="Place it").click()
    expect(page.locator("#live_state")).to_contain_text("All steps are done")
    order_id = int(page.url.rpartition("/")[2])
    assert shop.order(order_id).address == "Main Street 1"
    expect(page.locator("#live_order")).not_to_contain_text("Main Street")
    page.goto(f"/orders?user={user}")
    expect(page.locator("#live_orders tbody tr")).to_have_count(1)
    expect(page.locator("#live_orders")).to_contain_text("completed")


def test_a_product_is_added_and_restocked_and_its_stock_is_live(page: Page, shop: Shop) -> None:
    page.goto("/products")
    page.locator("#add").get_by_label("Name").fill("A thing <b>of its own</b>")
    page.locator("#add").get_by_label("Unit price").fill("500")
    page.locator("#add").get_by_label("Pieces").fill("10")
    page.get_by_role("button", name="Add it").click()
    expect(page.locator(".notice")).to_contain_text("A thing <b>of its own</b>, is added")
    product = int(page.url.rpartition("-")[2])
    page.goto(f"/products?restock={product}#restock")
    page.locator("#restock").get_by_label("Pieces").fill("5")
    page.get_by_role("button", name="Add them").click()
    expect(page.locator(".notice")).to_contain_text("has 15 pieces now")
    if page.locator(f"#product-{product}").count():  # a catalogue that other tests have filled has more pages
        shop.final(shop.place(product, price=500))
        expect(page.locator(f"#product-{product}")).to_contain_text("14")


def test_a_product_s_page_shows_what_moved_its_stock_and_goes_on_live(page: Page, shop: Shop) -> None:
    product = shop.product(stock=10)
    taken, dear = shop.final(shop.place(product, quantity=3)), shop.final(shop.place(product, price=1))
    page.goto(f"/products/{product}")
    rows = page.locator("#live_movements tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("refused, PRICE_CHANGED")
    expect(rows.nth(1).locator("[data-label=change]")).to_have_text("-3")
    expect(rows.nth(2)).to_contain_text("restocked")
    expect(page.locator("#live_product")).to_contain_text("7")
    undone = shop.final(shop.place(product, address="PO Box 42"))
    expect(page.locator(f"#movement-{undone.order_id}")).to_contain_text("undone")
    page.get_by_role("link", name=str(taken.order_id), exact=True).click()
    expect(page).to_have_url(re.compile(f"/sagas/{taken.order_id}$"))
    assert dear.order_id > taken.order_id


def test_the_system_page_says_which_service_is_not_ready_and_why(page: Page, breakable: Stack) -> None:
    page.goto("/system")
    expect(page.locator("#service-delivery_svc")).to_contain_text("ready")
    expect(page.locator("#service-order_svc [data-label=outbox]")).to_have_text("0")
    expect(page.locator("#service-order_svc [data-label=version]")).to_contain_text(version().partition("+")[0])
    expect(page.locator("#service-order_svc [data-label=version]")).to_contain_text(version().partition("+")[2])
    expect(page.locator("#live_topics")).to_contain_text("create-delivery-command")
    expect(page.locator("#connection")).to_have_text("live")
    breakable.service("delivery_svc").stop()
    expect(page.locator("#service-delivery_svc")).to_contain_text("not ready")
    expect(page.locator("#service-delivery_svc")).to_contain_text("it does not answer")
    breakable.service("delivery_svc").start()
    expect(page.locator("#service-delivery_svc .flag")).to_have_count(0)


def test_fifty_sagas_are_retried_at_once_with_a_result_for_each(page: Page, shop: Shop) -> None:
    product, user = shop.product(), new_user() % 10**9 + 1
    shop.finals([shop.place(product, user_id=user) for _ in range(50)], 60.0)
    page.goto(f"/sagas?user={user}")
    expect(page.locator("tr[data-row]")).to_have_count(50)
    page.get_by_label("Select all rows").check()
    expect(page.locator("[data-picked]")).to_have_text("50 selected")
    page.get_by_role("button", name="Retry selected").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Retry 50 sagas?")
    page.get_by_label("Your name").fill("ann")
    page.get_by_role("button", name="Retry 50 sagas").click()
    expect(page).to_have_url(re.compile("/jobs/"))
    expect(page.locator("#live_progress")).to_contain_text("50 of 50 done")
    expect(page.locator("#live_items tbody tr")).to_have_count(50)
    assert page.locator("#live_items").get_by_text("CompleteOrderCommand is sent again").count() == 50


def test_one_user_s_sagas_alone_are_meant_by_all_that_pass(page: Page, shop: Shop) -> None:
    product, user = shop.product(), new_user() % 10**9 + 1
    shop.finals([shop.place(product, user_id=user) for _ in range(2)], 30.0)
    page.goto(f"/sagas?user={user}&status=COMPLETED")
    page.locator(".whole").get_by_role("link", name="cancel").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cancel 2 sagas?")
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Why").fill("a try")
    page.get_by_role("button", name="Cancel 2 sagas").click()
    expect(page.locator("#live_progress")).to_contain_text("0 of 2 done, 2 not")
    assert page.locator("#live_items").get_by_text("TOO_LATE").count() == 2
