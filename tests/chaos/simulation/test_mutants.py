"""The simulation finds bugs: each guard of the system taken out in turn, and missed."""

import pytest

from tests.chaos.simulation.mutants import MUTANTS
from tests.chaos.simulation.run import search
from tests.chaos.simulation.stores import in_memory

RUNS = 3000
"""The hardest to find takes a few hundred."""


@pytest.mark.parametrize("guard", MUTANTS)
def test_the_simulation_notices_where(guard: str) -> None:
    take_out, invariant = MUTANTS[guard]
    with in_memory(), take_out():
        assert search({invariant}, RUNS)
