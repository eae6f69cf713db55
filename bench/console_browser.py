"""The console in a real browser: when a page is painted first, and how much memory an open page holds."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

_PAINTED = """() => new Promise((resolve) => new PerformanceObserver((list) => {
  const first = list.getEntriesByName("first-contentful-paint")[0];
  if (first) resolve(first.startTime);
}).observe({ type: "paint", buffered: true }))"""


@contextmanager
def browser() -> Iterator[Browser]:
    """Run Debian's Chromium without a window.

    Raises:
        FileNotFoundError: it is not installed.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        msg = "this needs Chromium: apt-get install chromium"
        raise FileNotFoundError(msg)
    options = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium's sandbox refuses to run as root
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=options)
        yield running
        running.close()


def first_paints(context: BrowserContext, address: str, count: int) -> list[float]:
    """Open ``address`` again ``count`` times in one tab; return the seconds until something was painted each time."""
    page = context.new_page()
    taken = []
    for _ in range(count + 1):
        page.goto(address)
        taken.append(float(page.evaluate(_PAINTED)) / 1000)
    page.close()
    return taken[1:]


def heap(page: Page) -> float:
    """Return how many bytes the page's scripts hold once all garbage is collected."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = float(session.send("Runtime.getHeapUsage")["usedSize"])
    session.detach()
    return used


def renderers(running: Browser) -> float:
    """Return the resident bytes of all processes that render pages, shared workers included."""
    session = running.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return float(sum(psutil.Process(one["id"]).memory_info().rss for one in processes if one["type"] == "renderer"))
