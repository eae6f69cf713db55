"""The four services in a world in memory."""

from collections.abc import Iterator
from contextlib import contextmanager

from devstack.services import NAMES
from sagakit.testing.world import seams
from tests.chaos.simulation.stores import in_memory


@contextmanager
def simulated() -> Iterator[None]:
    """Have the services, and the kit below them, run in memory."""
    with in_memory(), seams.simulated(*NAMES):
        yield
