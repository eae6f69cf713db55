"""What axe, a checker of pages for people who see, hear or move otherwise, finds on a page."""

from pathlib import Path
from typing import Any

from playwright.sync_api import Page

VENDOR = Path(__file__).with_name("vendor")
_RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations"""
_BAD = {"serious", "critical"}


def serious(page: Page) -> list[str]:
    """Return what is serious or critical on ``page``, each with its rule and its first places."""
    page.evaluate((VENDOR / "axe.min.js").read_text())
    found: list[dict[str, Any]] = page.evaluate(_RUN)
    return [
        f"{one['id']}: {one['help']}: {[node['html'] + ' ' + node['failureSummary'] for node in one['nodes'][:5]]}"
        for one in found
        if one["impact"] in _BAD
    ]
