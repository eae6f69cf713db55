"""A pytest plugin that has a run's tests in lanes beside one another: `pytest -p tools.lanes -n 3`.

Most tests wait: for a group to notice that a member was killed, for a service to start, for a timer. So three lanes,
on two cores, take half of the time of one. Each is a process of its own (pytest-xdist's worker) with a stack of its
own, and what shares a stack stays in one lane, in its usual order. ``.ci/run`` uses this.
"""

import pytest
from xdist.remote import Producer  # type: ignore[import-untyped] # it comes without types
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped] # the same

STACK = "the run's stack"
"""The unit of all tests that share it."""
_ON_THE_STACK = ("tests/integration/", "tests/e2e/", "tests/clients/")
_BY_FILE = ("tests/unit/", "tests/chaos/")
_BY_TEST = ("tests/chaos/test_short_round.py",)
"""Each of its rounds takes minutes, on a stack that it brings along."""


def unit(nodeid: str) -> str:
    """Return the name of what is given to one lane as a whole, and is run there in its usual order.

    That is all that shares the run's stack; or a file; or a round of chaos; and of other folders the whole folder.
    """
    path = nodeid.partition("::")[0]
    if path.startswith(_ON_THE_STACK):
        return STACK
    if path.startswith(_BY_TEST):
        return nodeid
    return path if path.startswith(_BY_FILE) else "/".join(path.split("/")[:2])


class _Lanes(LoadScopeScheduling):  # type: ignore[misc] # the same
    """Gives a lane that has nothing left to do the next unit, in the order of the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest: one lane waits for its servers while the other one computes, in the unit tests."""
    items.sort(key=lambda item: unit(item.nodeid) != STACK)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    """Return who gives the tests to the lanes."""
    config.option.loadscopereorder = False  # it would begin with the unit that has the most tests
    return _Lanes(config, log)
