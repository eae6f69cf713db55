"""One stack for the whole run, and one that is closed, each with a data folder and ports of its own.

The first test that needs one brings it up; a run in lanes (`tools.lanes`) has one in each lane whose tests need it.
`make mutants`, whose runs are many and short, lends them one instead.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.support.leftovers import stop_leftovers
from tests.support.lent import lent_stack
from tests.support.mend import mend
from tests.support.shop import Shop
from tests.support.trust import remember
from tools.lanes import unit

SECURE = bool(os.environ.get("SECURE"))
"""Whether the stack is closed: ``make test-closed``."""
FIRST_START_SECONDS = 1200
"""The first start ever downloads Kafka and the registry."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the stack's processes outlive the objects that started them, as they are meant to."""
    config.addinivalue_line("filterwarnings", "ignore:subprocess .* is still running:ResourceWarning")


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what the lanes of an interrupted run could not stop: xdist gives them a few seconds, and ends them."""
    in_lanes = config.getoption("numprocesses", None) and not hasattr(config, "workerinput")
    if in_lanes:
        made = config._tmp_path_factory  # type: ignore[attr-defined] # noqa: SLF001 - xdist asks for it likewise
        stop_leftovers(made.getbasetemp())


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test that may have to bring a stack up the time for it: in lanes any unit may be a lane's first."""
    if lent_stack():
        return
    begun: set[tuple[str, str]] = set()
    for item in items:
        for name in ("stack", "closed_stack"):
            of = (unit(item.nodeid), name)
            if of not in begun and isinstance(item, pytest.Function) and name in item.fixturenames:
                begun.add(of)
                item.add_marker(pytest.mark.timeout(FIRST_START_SECONDS), append=False)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The running servers and services."""
    yield from _running(tmp_path_factory.mktemp("stack"), secure=SECURE)


@pytest.fixture(scope="session")
def closed_stack(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Servers and services of their own, which were started with SECURE=1; all tests' own where all are run so."""
    if SECURE:
        yield request.getfixturevalue("stack")
        return
    yield from _running(tmp_path_factory.mktemp("closed"), secure=True)


def _running(folder: Path, *, secure: bool) -> Iterator[Stack]:
    if (lent := lent_stack()) and lent.security.on == secure:
        remember(lent)
        yield lent
        return
    running = Stack.fresh(folder, secure=secure)
    running.postgres.remove()  # as root its data lie elsewhere, and may be left from a run that was killed
    try:
        running.up()
        remember(running)
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
