"""Threads of a world in memory end, however they came to their end."""

from types import SimpleNamespace

import pytest

from sagakit.testing.world.green import Green, Owner


@pytest.fixture
def owner() -> Owner:
    """A process that has died."""
    return SimpleNamespace(threads=[], stopped=False, dead=True)


def test_a_thread_that_has_failed_is_ended_without_another_error_that_hides_the_first(owner: Owner) -> None:
    def fail() -> None:
        msg = "it took too long"
        raise RuntimeError(msg)

    thread = Green(owner, fail)
    with pytest.raises(RuntimeError, match="it took too long"):
        thread.switch()
    thread.end()


def test_a_thread_that_has_not_begun_never_begins(owner: Owner) -> None:
    begun: list[bool] = []
    Green(owner, lambda: begun.append(True)).end()
    assert begun == []
