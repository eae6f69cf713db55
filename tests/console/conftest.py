"""A console on the run's stack, and a real browser before it: Debian's Chromium, without a window."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from devstack.console import Console
from devstack.stack import Stack
from tests.support.browser import chromium

_WAIT_MS = 15_000


@pytest.fixture(scope="session")
def console(stack: Stack) -> Iterator[Console]:
    """The console of the run's stack."""
    stack.console.launch(stack.console_asks)
    stack.console.wait_ready()
    yield stack.console
    stack.console.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser. It has an event loop in this thread while it runs, which other files' tests must not meet."""
    with chromium() as running:
        yield running


@pytest.fixture
def context(browser: Browser, console: Console) -> Iterator[BrowserContext]:
    """A browser as new: no cookie, no tab."""
    context = browser.new_context(
        base_url=console.url, viewport={"width": 1280, "height": 900}, ignore_https_errors=True
    )
    context.set_default_timeout(_WAIT_MS)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """One tab; what its scripts complain about fails the test."""
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert complaints == []
