"""A call that failed says whether it may have been carried out, whichever command made it."""

import pytest

from sagakit.errors import Unavailable
from tests.unit.ordersaga_cli.line import at, typed
from tests.unit.ordersaga_cli.test_saga_commands import ask


@pytest.mark.parametrize(
    ("line", "undone"),
    [
        ("saga retry 42", "no saga was retried"),
        ("saga retry 42 43", "no further saga was retried"),
        ("saga retry --stuck --yes", "no saga was retried"),
        ("saga cancel 42 --reason x", "no saga was cancelled"),
        ("order cancel 42", "nothing was asked"),
    ],
)
def test_where_no_connection_came_about_nothing_was_done_and_it_may_be_repeated(line: str, undone: str) -> None:
    result = typed(line, at("127.0.0.1:9"))
    assert result.code == 1
    assert result.err.endswith(f"(nothing was sent, so {undone}; it may be repeated)\n")


@pytest.mark.parametrize("line", ["saga retry 42", "saga cancel --stuck --reason x --yes"])
def test_where_the_service_failed_meanwhile_it_is_said_that_it_may_have_been_done(line: str) -> None:
    away = Unavailable("the database cannot be reached; try again")
    result, _ = ask(line, RetrySaga=away, CancelSagas=away)
    assert (result.code, "(it may have been done: repeat it: " in result.err) == (1, True)
