"""A Node client that reads the contracts as they stand."""

import importlib.resources
from pathlib import Path

import pytest

from devstack.stack import Stack
from tests.clients import story
from tests.support import builds
from tests.support.programs import output_of
from tools.paths import IMPORTED, ROOT


@pytest.mark.timeout(builds.SECONDS + 60)
def test_it_places_and_watches_an_order_and_learns_what_is_wrong(stack: Stack, node: Path) -> None:
    details = Path(str(importlib.resources.files("google.rpc").joinpath("error_details.proto"))).parents[2]
    story.must_show(
        output_of("node", node / "client.js", stack.service("order_svc").grpc, ROOT / "proto", IMPORTED, details)
    )
