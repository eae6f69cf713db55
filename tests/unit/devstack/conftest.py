"""A start of a stack keeps the kit's log quiet in its process; the tests after these want to hear it."""

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def log_as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()
