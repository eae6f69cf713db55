"""What the style sheets must not do."""

import pytest

from console_svc.rendering import STATIC


@pytest.mark.parametrize("sheet", ["console.css", "pages.css"])
def test_a_page_that_is_left_open_comes_to_rest(sheet: str) -> None:
    """Fifty rows that breathe for ever are fifty layers, drawn sixty times a second: a tenth of a core and more."""
    assert "infinite" not in (STATIC / sheet).read_text()
