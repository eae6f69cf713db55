"""One stack for the whole run, with a data folder and ports of its own: brought up by the first test that needs it.

`make mutants`, whose runs are many and short, lends them one instead.
"""

from collections.abc import Iterator

import pytest

from devstack.stack import Stack
from tests.support.lent import lent_stack
from tests.support.mend import mend
from tests.support.shop import Shop

FIRST_START_SECONDS = 1200
"""The first start ever downloads Kafka and the registry."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the stack's processes outlive the objects that started them, as they are meant to."""
    config.addinivalue_line("filterwarnings", "ignore:subprocess .* is still running:ResourceWarning")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the test that brings the stack up the time for it."""
    if lent_stack():
        return
    for item in items:
        if isinstance(item, pytest.Function) and "stack" in item.fixturenames:
            item.add_marker(pytest.mark.timeout(FIRST_START_SECONDS), append=False)
            return


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running servers and services."""
    if lent := lent_stack():
        yield lent
        return
    running = Stack.fresh(tmp_path_factory.mktemp("stack"))
    running.postgres.remove()  # as root its data lie elsewhere, and may be left from a run that was killed
    try:
        running.up()
        yield running
    finally:
        running.down()
        running.postgres.remove()


@pytest.fixture
def shop(stack: Stack) -> Iterator[Shop]:
    """A client of the four services."""
    shop = Shop(stack)
    yield shop
    shop.close()


@pytest.fixture
def breakable(stack: Stack) -> Iterator[Stack]:
    """The stack for a test that stops or kills parts of it; whatever is down afterwards is started again."""
    yield stack
    mend(stack)
