"""A release of the chart on the cluster of kubectl's context, or of CONTEXT: `make test-cluster` builds its images."""

import uuid
from collections.abc import Iterator

import pytest

from tests.cluster.release import NAME, Release, run


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    """The chart as it is installed by default, in a namespace that is removed in the end."""
    installed = Release(f"order-saga-{uuid.uuid4().hex[:6]}")
    try:
        installed.install()
        yield installed
    finally:
        installed.helm("uninstall", NAME, "--wait", "--ignore-not-found", check=False)
        run("kubectl", "delete", "namespace", installed.namespace, "--ignore-not-found", "--timeout=180s", check=False)


@pytest.fixture
def namespace() -> Iterator[Release]:
    """A namespace in which nothing is installed yet."""
    empty = Release(f"order-saga-{uuid.uuid4().hex[:6]}")
    yield empty
    empty.helm("uninstall", NAME, "--ignore-not-found", check=False)
    run("kubectl", "delete", "namespace", empty.namespace, "--ignore-not-found", "--timeout=180s", check=False)
