"""A console on the run's stack, and a real browser before it: Debian's Chromium, without a window."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from devstack.console import Console
from devstack.stack import Stack

_INSTALL_SECONDS = 600
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
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=_chromium(), args=options)
        yield running
        running.close()


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


def _chromium() -> str:
    """Return the browser's program; root has it installed where it is missing."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None and os.geteuid() == 0 and Path("/usr/bin/apt-get").exists():
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-qq", "-y", "chromium"]):
            subprocess.run(command, env=environment, check=True, timeout=_INSTALL_SECONDS, capture_output=True)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail("These tests need Chromium: apt-get install chromium")
    return found
