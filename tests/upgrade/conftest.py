"""The release before, taken out of git's history once."""

import pytest

from tests.upgrade.version import Version, before


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The release before, ready to run."""
    return before(tmp_path_factory.mktemp("before"))
