"""Tests of what runs in a database run on the oldest PostgreSQL that is promised, too, where Debian's is installed."""

import copy
from collections.abc import Iterator

import pytest

from devstack.stack import Stack
from tests.support.debian import Debian15, postgres_15

_ON_EVERY_POSTGRES = {
    "test_announcer",
    "test_changes",
    "test_database",
    "test_delivery_store",
    "test_migrations",
    "test_order_ends",
    "test_outbox",
    "test_pipeline",
    "test_saga_engine",
    "test_saga_store",
    "test_stock_store",
    "test_timers",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a database on both, but for those that mostly wait for Kafka."""
    of_database = metafunc.module.__name__.rpartition(".")[2] in _ON_EVERY_POSTGRES
    if of_database and "postgres" in metafunc.fixturenames and "kafka" not in metafunc.function.__name__:
        metafunc.parametrize("postgres", ["postgres-18", "postgres-15"], indirect=True, scope="session")


@pytest.fixture(scope="session")
def debian() -> Iterator[Debian15]:
    """PostgreSQL 15."""
    with postgres_15() as server:
        yield server


@pytest.fixture(scope="session")
def postgres(request: pytest.FixtureRequest) -> Debian15 | None:
    """The server that takes the place of the stack's; None where it is the stack's own."""
    oldest: Debian15 | None = None
    if getattr(request, "param", "postgres-18") != "postgres-18":
        oldest = request.getfixturevalue("debian")
    return oldest


@pytest.fixture(scope="session")
def stack(stack: Stack, postgres: Debian15 | None) -> Stack:
    """The stack; or the stack with PostgreSQL 15 in the place of its own."""
    if postgres is None:
        return stack
    other = copy.copy(stack)
    vars(other)["postgres"] = postgres
    return other
