"""A Go client whose code buf generates from the contracts."""

from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.clients import story
from tests.support import builds
from tests.support.programs import output_of


@pytest.mark.timeout(builds.SECONDS + 60)
def test_it_places_and_watches_an_order_and_learns_what_is_wrong(stack: Stack, go: Path) -> None:
    story.must_show(output_of(go / "client", stack.service("order_svc").grpc))
