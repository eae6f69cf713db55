"""The simulation finds bugs: each guard of the system taken out in turn, and missed."""

import pytest

from tests.chaos.simulation.actions import ORCHESTRATOR, Action, CancelOrder, Process, Progress
from tests.chaos.simulation.mutants import MUTANTS
from tests.chaos.simulation.run import search, simulate
from tests.chaos.simulation.services import Fault
from tests.chaos.simulation.stores import in_memory
from tests.chaos.simulation.world import Kind

RUNS = 3000
"""Of each series; the hardest to find takes a few hundred."""


@pytest.mark.parametrize("guard", MUTANTS)
def test_the_simulation_notices_where(guard: str) -> None:
    take_out, invariant = MUTANTS[guard]
    with in_memory(), take_out():
        assert search({invariant}, RUNS)


def test_without_a_tombstone_a_cancelled_order_is_delivered() -> None:
    late_delivery: list[Action] = [Progress(2), Process(ORCHESTRATOR, fault=Fault.STOPPED), CancelOrder(0)]
    take_out, _ = MUTANTS["an undone order that was never seen leaves no tombstone in deliveries"]
    with in_memory(), take_out():
        found = simulate([Kind.GOOD], [late_delivery])
    assert [violation.text for violation in found if violation.invariant == 3] == [
        "order 1 is CANCELLED with CANCEL_REQUESTED; holds stock: False, delivery: True"
    ]
