"""What the stream has sent for another filter, and comes when this one is shown already, is not shown in its place."""

from playwright.sync_api import BrowserContext, Page, expect

_STREAM_OF_THE_TEST = """
window.said = [];
window.SharedWorker = class {
  constructor() {
    this.port = { postMessage: (message) => said.push(message.topic), set onmessage(told) { window.tell = told; } };
  }
};
"""
_TELL = """([topic, text]) => tell({ data: { topic, parts: { live_count: text } } })"""


def test_parts_of_another_filter_that_come_late_change_nothing(context: BrowserContext, page: Page) -> None:
    context.add_init_script(_STREAM_OF_THE_TEST)
    page.goto("/sagas?user=1")
    page.evaluate(_TELL, ["/sagas?user=1&status=COMPLETED", "of another filter"])
    own = page.evaluate("said.at(-1)")
    assert own.startswith("/sagas?user=1")
    page.evaluate(_TELL, [own, "of this filter"])
    expect(page.locator("#live_count")).to_have_text("of this filter")
    page.evaluate(_TELL, ["/sagas?user=1&status=COMPLETED", "of another filter"])
    expect(page.locator("#live_count")).to_have_text("of this filter")


def test_parts_that_come_between_another_address_and_its_rows_are_asked_for_again(
    context: BrowserContext, page: Page
) -> None:
    context.add_init_script(_STREAM_OF_THE_TEST)
    page.goto("/sagas?user=1")
    before = page.evaluate("said.at(-1)")
    page.evaluate("history.pushState({}, '', '/sagas?user=2')")
    page.evaluate(_TELL, [before, "of the filter before"])
    expect(page.locator("#live_count")).not_to_have_text("of the filter before")
    assert page.evaluate("said.at(-1)").startswith("/sagas?user=2")
