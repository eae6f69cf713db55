"""A release of the chart on the cluster of kubectl's context, or of CONTEXT: `make test-cluster` builds its images."""

import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.release import Release
from tools.chart_readme import CHART


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    """The chart with the values for CI, in a namespace that is removed in the end."""
    installed = Release(f"order-saga-{uuid.uuid4().hex[:6]}", ("--values", str(CHART / "values" / "ci.yaml")))
    try:
        installed.create()
        installed.install()
        yield installed
    finally:
        installed.remove()


@pytest.fixture
def namespace() -> Iterator[Release]:
    """A namespace in which nothing is installed yet."""
    empty = Release(f"order-saga-{uuid.uuid4().hex[:6]}")
    empty.create()
    yield empty
    empty.remove()
