"""An operator before a browser: a dead letter is seen, read, sent again, dropped."""

import uuid

import pytest
from ordersaga.messages import CreateDeliveryCommand
from playwright.sync_api import Dialog, Locator, Page, expect

from devstack.stack import Stack
from tests.support.kafka import send
from tests.support.registry import encode


def park(stack: Stack) -> str:
    """Have delivery_svc park a message whose key is not its order's; return the order's id."""
    order_id = uuid.uuid4().int % 10**9 + 10**12
    command = CreateDeliveryCommand(order_id=order_id, user_id=1, address="Main Street 3")
    head = {"message-id": str(uuid.uuid4()).encode(), "message-type": CreateDeliveryCommand.FULL_NAME.encode()}
    send(
        stack.bootstrap,
        "create-delivery-command",
        str(order_id + 1).encode(),
        encode(stack.registry_url, command).value,
        head,
    )
    return str(order_id)


@pytest.fixture
def letter(stack: Stack) -> str:
    return park(stack)


def list_with(page: Page, order_id: str, query: str = "") -> Locator:
    """Open the list of dead letters once this order's is in it; return its row."""
    page.goto(f"/dead-letters{query}")
    row, fresh = page.locator("#live_letters tbody tr").filter(has_text=order_id), page.locator("#live_fresh a")
    expect(row.or_(fresh)).to_be_visible()  # it comes by itself, or is told of where others are
    if not row.count():
        fresh.click()
    expect(row).to_be_visible()
    return row


def open_letter(page: Page, order_id: str) -> None:
    row = list_with(page, order_id, "?group=delivery_svc&reason=BAD_KEY")
    row.get_by_role("link").click()
    expect(page.locator("pre")).to_contain_text(f'"order_id": {order_id}')


def test_a_letter_is_decoded_with_its_address_hidden_and_parked_again_when_replayed(page: Page, letter: str) -> None:
    open_letter(page, letter)
    expect(page.locator("pre")).not_to_contain_text("Main Street")
    expect(page.locator(".state")).to_contain_text("BAD_KEY")
    page.get_by_role("button", name="Replay").click()
    expect(page.locator("#live_items")).to_contain_text("parked again, BAD_KEY, round 2")
    page.locator("#live_items tbody a").click()
    expect(page.locator(".facts dt:text('Round') + dd")).to_have_text("2")


def test_a_letter_is_dropped_once_that_was_confirmed(page: Page, letter: str) -> None:
    open_letter(page, letter)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Drop").click()
    expect(page.locator("#live_items")).to_contain_text("dropped")
    page.goto("/dead-letters")
    expect(page.locator("#live_letters")).not_to_contain_text(letter)


def test_who_drops_a_selection_is_told_how_many_of_what_before(page: Page, letter: str, stack: Stack) -> None:
    other = park(stack)
    list_with(page, other)
    asked: list[str] = []

    def dismiss(dialog: Dialog) -> None:
        asked.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    for order_id in (letter, other):
        list_with(page, order_id).locator("td.pick input").check()
        page.get_by_role("button", name="Drop selected").click()
    page.locator("#pick-all").check()
    page.get_by_role("button", name="Drop selected").click()
    every = page.locator("#live_letters tbody tr").count()
    assert asked[:2] == ["Drop 1 letter (1 delivery_svc BAD_KEY)? What is dropped is gone."] * 2
    assert asked[2].startswith(f"Drop {every} letters (")
    page.reload()
    expect(page.locator("#live_letters")).to_contain_text(letter)  # nothing was dropped


def test_rows_stay_and_what_is_picked_stays_picked_while_others_are_parked(
    page: Page, letter: str, stack: Stack
) -> None:
    first = list_with(page, letter)
    expect(page.locator("#connection")).to_have_text("live")
    first.locator("td.pick input").check()
    rows = page.locator("#live_letters tbody tr")
    before = rows.evaluate_all("all => all.map(one => one.id)")
    other = park(stack)
    expect(page.locator("#live_fresh")).to_contain_text("1 more was parked")
    assert rows.evaluate_all("all => all.map(one => one.id)") == before
    expect(page.locator("[data-picked]")).to_have_text("1 selected")
    expect(first.locator("td.pick input")).to_be_checked()
    page.locator("#live_fresh a").click()
    expect(rows.first).to_contain_text(other)


def test_letters_are_counted_on_the_overview_as_in_their_list(page: Page, letter: str) -> None:
    list_with(page, letter)
    listed = page.locator("#live_letters tbody tr").count()
    page.goto("/")
    tile = page.locator(".tiles li").filter(has_text="dead letters")
    expect(tile.locator("b")).to_have_text(str(listed))
    tile.get_by_role("link").click()
    expect(page.locator("#live_letters tbody tr")).to_have_count(listed)


def test_a_letter_that_was_dealt_with_is_told_of_in_words(page: Page) -> None:
    page.goto("/dead-letters/delivery_svc/create-delivery-command-0-99999@abcdef012345")
    expect(page.locator("main")).to_contain_text("it was dealt with, or never was")
