"""After signing in a browser goes on to a page of ours, wherever an address says that it wanted to go."""

import pytest

from console_svc.sign_in import _own


@pytest.mark.parametrize("path", ["/", "/sagas?status=RUNNING&user=7", "/sagas/7#event-1", "/dead-letters/a/b@c"])
def test_a_page_of_ours_is_gone_on_to(path: str) -> None:
    assert _own(path) == path


@pytest.mark.parametrize(
    "path",
    ["", "sagas", "//evil.example", "/\\evil.example", "https://evil.example/", "/\t/evil.example", "/\n/evil", "/ /e"],
    ids=["empty", "relative", "two slashes", "backslash", "another site", "tab", "line", "blank"],
)
def test_anything_else_leads_to_the_overview(path: str) -> None:
    assert _own(path) == "/"
