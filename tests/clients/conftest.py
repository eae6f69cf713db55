"""Clients of other projects, and clients in other languages: built while the tests before them run.

Where Go or Node is not installed, their tests are left out, and the report's header says so. A run that allows no
skipped test, as CI's does not, fails instead.
"""

from collections.abc import Collection
from pathlib import Path

import pytest

from tests.support.builds import Build, missing
from tools.lanes import STACK, unit

PROGRAMS = {"go": ["go"], "node": ["node", "npm"]}
"""What builds and runs the clients of each language."""
LANGUAGE = {"test_grpcurl.py": "go", "test_ghz.py": "go", "test_go_client.py": "go", "test_node_client.py": "node"}
"""What each file of tests needs."""
_BUILDS = pytest.StashKey["_Builds"]()


class _Builds:
    """The clients in each language, built from the first test on that shares the stack: in lanes, by that lane alone.

    Building takes a minute or two, while these tests mostly wait.
    """

    def __init__(self, languages: Collection[str]) -> None:
        """Build those of ``languages`` when the time has come."""
        self._languages = languages
        self.begun: dict[str, Build] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if not self.begun and unit(nodeid) == STACK:
            self.begun = {language: Build(language) for language in self._languages}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out what cannot be built, unless nothing may be left out."""
    language = LANGUAGE.get(collection_path.name)
    absent = language is not None and missing(*PROGRAMS[language])
    return True if absent and not config.pluginmanager.has_plugin("tools.no_skips") else None


def pytest_report_header() -> list[str]:
    """Say which clients are not tested."""
    return [
        f"clients by {language}: not tested, because {' and '.join(absent)} cannot be found on the PATH"
        for language, programs in PROGRAMS.items()
        if (absent := missing(*programs))
    ]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the clients that are tested built."""
    languages = sorted({LANGUAGE[item.path.name] for item in session.items if item.path.name in LANGUAGE})
    session.config.stash[_BUILDS] = _Builds(languages)
    session.config.pluginmanager.register(session.config.stash[_BUILDS])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no build behind."""
    if _BUILDS in config.stash:
        for build in config.stash[_BUILDS].begun.values():
            build.end()


@pytest.fixture(scope="session")
def go(pytestconfig: pytest.Config) -> Path:
    """Return the folder of what Go has built."""
    return pytestconfig.stash[_BUILDS].begun["go"].done() / "bin"


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Path:
    """Return the folder in which the Node client can be run."""
    return pytestconfig.stash[_BUILDS].begun["node"].done()
