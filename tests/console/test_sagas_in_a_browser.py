"""An operator before a browser: orders travel, a service is away, a saga is asked again or cancelled."""

import re
from functools import partial
from itertools import pairwise

from playwright.sync_api import BrowserContext, Dialog, Page, Request, expect

from devstack.stack import Stack
from tests.support.shop import Shop, new_user


def tile(page: Page, name: str) -> str:
    return page.locator(".tiles li").filter(has_text=re.compile(rf"{name}$")).locator("b").inner_text()


def live(page: Page) -> None:
    expect(page.locator("#connection")).to_have_text("live")


def test_an_order_is_seen_to_travel_without_a_reload(page: Page, shop: Shop) -> None:
    product = shop.product()
    page.goto("/")
    live(page)
    order = shop.place(product)
    expect(page.locator("#live_latest").get_by_role("link", name=str(order.order_id), exact=True)).to_be_visible()
    row = page.locator(f"#latest-{order.order_id}")
    expect(row).to_contain_text("completed")
    row.get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(str(order.order_id))
    expect(page.locator("#live_state")).to_contain_text("All steps are done")
    expect(page.locator(".timeline li")).to_have_count(3)
    expect(page.locator("#live_order")).to_contain_text("completed")


def test_a_saga_whose_service_is_away_is_told_of_asked_again_and_ends(page: Page, shop: Shop, breakable: Stack) -> None:
    product = shop.product()
    breakable.service("delivery_svc").stop()
    order = shop.place(product)
    page.goto("/")
    expect(page.locator("#live_verdict")).to_contain_text("delivery_svc is not ready")
    page.goto(f"/sagas/{order.order_id}")
    expect(page.locator("#live_state")).to_contain_text("Waits")
    expect(page.locator("#live_state")).to_contain_text("CreateDeliveryCommand")
    expect(page.locator("#live_state")).to_contain_text("delivery_svc is not ready")
    live(page)
    breakable.service("delivery_svc").start()
    page.get_by_label("Your name").fill("ann")
    page.get_by_label("Why").fill("it was away")
    page.get_by_role("button", name="Send the command again").click()
    expect(page.locator(".notice")).to_contain_text("is sent again")
    expect(page.locator("#live_state")).to_contain_text("All steps are done")
    expect(page.locator("#live_history")).to_contain_text("ann: it was away")
    page.reload()
    assert page.get_by_label("Your name").input_value() == "ann", "the name is asked for once"


def test_a_saga_is_cancelled_with_a_reason_once_that_was_confirmed(page: Page, shop: Shop, breakable: Stack) -> None:
    product = shop.product()
    breakable.service("delivery_svc").stop()
    order = shop.place(product)
    page.goto(f"/sagas/{order.order_id}")
    expect(page.locator("#live_state")).to_contain_text("CreateDeliveryCommand")
    page.get_by_label("Your name").fill("ann")
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.get_by_role("button", name="Cancel and undo").click()
    expect(page.get_by_label("Why")).to_be_focused()  # the reason is missing: nothing is asked before that is there
    assert asked == []
    page.get_by_label("Why").fill("the customer called")
    page.get_by_role("button", name="Cancel and undo").click()
    assert len(asked) == 1
    expect(page.locator("#live_state")).to_contain_text("running")
    page.remove_listener("dialog", dismiss)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel and undo").click()
    expect(page.locator(".notice")).to_contain_text("is cancelled")
    expect(page.locator("#live_state")).to_contain_text(re.compile("compensat"))
    breakable.service("delivery_svc").start()
    expect(page.locator("#live_state")).to_contain_text("Everything is undone")
    assert shop.stock(product) == 100


def test_a_filter_stands_in_the_address_and_comes_back(page: Page, context: BrowserContext, shop: Shop) -> None:
    product, user = shop.product(), new_user() % 10**9 + 1
    orders = [shop.final(shop.place(product, user_id=user)) for _ in range(3)]
    refused = shop.final(shop.place(product, user_id=user, price=1))
    page.goto("/sagas")
    page.get_by_label("User").fill(str(user))
    page.get_by_label("User").press("Enter")
    expect(page.locator("tr[data-row]")).to_have_count(4)
    page.get_by_label("Status").select_option("COMPLETED")
    expect(page.locator("tr[data-row]")).to_have_count(3)
    assert f"user={user}" in page.url
    assert "status=COMPLETED" in page.url
    assert "step=" not in page.url, "what was not asked for is not in the address"
    shared = context.new_page()
    shared.goto(page.url)
    expect(shared.locator("tr[data-row]")).to_have_count(3)
    page.go_back()
    expect(page.locator("tr[data-row]")).to_have_count(4)
    expect(page.locator("#live_rows")).to_contain_text("PRICE_CHANGED")
    expect(page.get_by_role("link", name=str(refused.order_id), exact=True)).to_be_visible()
    assert page.get_by_label("Status").input_value() == ""
    assert {order.order_id for order in orders} < {
        int(row or 0) for row in page.locator("tr[data-row]").evaluate_all("all => all.map(one => one.dataset.row)")
    }


def test_rows_stay_where_they_are_while_new_orders_come(page: Page, shop: Shop) -> None:
    product, user = shop.product(), new_user() % 10**9 + 1
    first = shop.final(shop.place(product, user_id=user))
    page.goto(f"/sagas?user={user}")
    live(page)
    expect(page.locator("tr[data-row]")).to_have_count(1)
    shop.final(shop.place(product, user_id=user))
    expect(page.locator("#live_fresh")).to_contain_text("1 more")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.locator("#live_fresh a").click()
    expect(page.locator("tr[data-row]")).to_have_count(2)
    rows = page.locator("tr[data-row]").evaluate_all("all => all.map(one => Number(one.dataset.row))")
    assert rows[-1] == first.order_id
    assert all(one > two for one, two in pairwise(rows))


def test_seven_tabs_are_all_live_by_one_stream(context: BrowserContext, shop: Shop) -> None:
    product = shop.product()
    tabs = [context.new_page() for _ in range(7)]
    for tab in tabs:
        tab.goto("/")
    for tab in tabs:
        live(tab)
    order = shop.place(product)
    for tab in tabs:
        expect(tab.locator(f"#latest-{order.order_id}")).to_be_visible()


def test_without_shared_workers_one_of_seven_tabs_holds_the_stream_and_another_when_it_is_closed(
    context: BrowserContext, shop: Shop
) -> None:
    """Chrome on Android has none."""
    context.add_init_script("delete window.SharedWorker")
    product, tabs = shop.product(), [context.new_page() for _ in range(7)]
    asking: list[int] = []
    for number, tab in enumerate(tabs):
        tab.on("request", partial(_note, asking, number))
        tab.goto("/")
    for leader in (0, None):
        for tab in tabs:
            live(tab)
        order = shop.place(product)
        for tab in tabs:
            expect(tab.locator(f"#latest-{order.order_id}")).to_be_visible()
        assert len(set(asking)) == 1
        if leader is not None:
            assert set(asking) == {leader}
            asking.clear()
            tabs.pop(leader).close()


def test_the_stream_s_address_stays_short_however_many_tabs_there_are_and_the_one_in_front_is_live(
    context: BrowserContext, shop: Shop
) -> None:
    """Many a proxy refuses an address of more than 8 kB. Without shared workers the stream's requests can be seen."""
    context.add_init_script("delete window.SharedWorker")
    page, addresses = context.new_page(), list[str]()
    page.on("request", lambda request: addresses.append(request.url) if "/live?" in request.url else None)
    page.goto("/")
    live(page)
    page.evaluate(
        """() => {
            const others = new BroadcastChannel("order-saga");
            const paused = new Set();
            others.onmessage = ({ data }) => {
                if (data.to === "tab59" && !data.message.paused) document.body.dataset.looked = "live";
                if (data.message?.paused) document.body.dataset.paused = paused.add(data.to).size;
            };
            const rows = [...Array(50)].map((_, row) => 10 ** 9 + row).join();
            window.say = (tab, front) => {
                const message = { topic: `/sagas?user=${tab + 1}&rows=${rows}`, front };
                others.postMessage({ from: "tab" + tab, message });
            };
            for (let tab = 0; tab < 60; tab++) say(tab, false);
        }"""
    )
    expect(page.locator("body")).to_have_attribute("data-paused", re.compile("^[45][0-9]$"), timeout=15_000)
    assert "user%3D" in addresses[-1], "as many of the others as there is room for are live as well"
    assert max(map(len, addresses)) < 8_000
    live(page)
    assert page.locator("body").get_attribute("data-looked") is None
    page.evaluate("say(59, true)")
    expect(page.locator("body")).to_have_attribute("data-looked", "live", timeout=15_000)
    live(page)
    order = shop.place(shop.product())
    expect(page.locator(f"#latest-{order.order_id}")).to_be_visible()


def _note(asking: list[int], tab: int, request: Request) -> None:
    if "/live?" in request.url:
        asking.append(tab)


def test_a_browser_that_has_no_way_to_share_a_stream_has_one_for_each_tab(context: BrowserContext, shop: Shop) -> None:
    context.add_init_script("delete window.SharedWorker; delete window.BroadcastChannel")
    page = context.new_page()
    page.goto("/")
    live(page)
    order = shop.place(shop.product())
    expect(page.locator(f"#latest-{order.order_id}")).to_be_visible()


def test_a_console_that_went_away_is_missed_and_comes_back_by_itself(page: Page, stack: Stack, shop: Shop) -> None:
    product = shop.product()
    page.goto("/")
    live(page)
    stack.console.stop()
    expect(page.locator("#lost")).to_contain_text(re.compile(r"Not connected since [0-2]\d:\d\d:\d\d UTC,"))
    stack.console.start()
    live(page)
    expect(page.locator("#lost")).to_be_hidden()
    order = shop.place(product)
    expect(page.locator(f"#latest-{order.order_id}")).to_be_visible()


def test_rows_are_reached_and_opened_by_the_keyboard_alone(page: Page, shop: Shop) -> None:
    product = shop.product()
    orders = [shop.final(shop.place(product)) for _ in range(2)]
    page.goto("/sagas")
    live(page)
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("tr.at")).to_have_attribute("data-row", str(orders[0].order_id))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(rf"/sagas/{orders[0].order_id}$"))
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#help")).to_be_hidden()
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page).to_have_url(re.compile("/sagas$"))
    page.keyboard.press("/")
    expect(page.get_by_label("Status")).to_be_focused()


def test_a_saga_s_messages_are_decoded_in_their_order_with_the_address_hidden(page: Page, shop: Shop) -> None:
    order = shop.final(shop.place(shop.product(), address="Main Street 1"))
    page.goto(f"/sagas/{order.order_id}")
    page.locator("#live_history").get_by_role("link").first.click()
    expect(page.locator("li:target")).to_contain_text("OrderCreated")
    assert page.locator(".tape .what b").all_inner_texts() == [
        "OrderCreated",
        "DecreaseProductCommand",
        "ProductDecreased",
        "CreateDeliveryCommand",
        "DeliveryCreated",
        "CompleteOrderCommand",
    ]
    expect(page.locator("pre").first).to_contain_text('"quantity": 1')
    expect(page.locator(".tape")).not_to_contain_text("Main Street")


def test_a_saga_that_does_not_exist_is_told_of_in_words(page: Page) -> None:
    answer = page.goto("/sagas/999999999")
    assert answer is not None
    assert answer.status == 404
    expect(page.locator("main")).to_contain_text("There is no such thing")
