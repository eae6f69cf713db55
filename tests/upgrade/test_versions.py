"""The release before and this version run beside one another, on the same databases and topics, on the way and back."""

from pathlib import Path

import pytest

from devstack.services import NAMES
from tests.upgrade.replacing import there_and_back
from tests.upgrade.version import Version


@pytest.mark.timeout(600)
def test_no_order_is_lost_on_the_way_to_this_version_and_back(released: Version, tmp_path: Path) -> None:
    there_and_back(released, tmp_path, waves=[NAMES])
