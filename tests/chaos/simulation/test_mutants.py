"""The simulation finds bugs: each guard of the system taken out in turn, and missed."""

import pytest

from sagakit.testing.world.faults import Fault
from tests.chaos.simulation.actions import ORCHESTRATOR, Action, CancelOrder, Process, Progress
from tests.chaos.simulation.mutants import MUTANTS, late_successes_kept
from tests.chaos.simulation.mutants_kit import KIT_MUTANTS
from tests.chaos.simulation.run import search, simulate
from tests.chaos.simulation.seams import simulated
from tests.chaos.simulation.world import Kind

RUNS = 3000
"""Of each series; the hardest to find takes a few hundred."""
ALL = MUTANTS | KIT_MUTANTS


@pytest.mark.parametrize("guard", ALL)
def test_the_simulation_notices_where(guard: str) -> None:
    take_out, invariant, run = ALL[guard]
    with simulated():
        if not run:
            with take_out():
                assert search({invariant}, RUNS)
            return
        assert simulate([Kind.GOOD], [run]) == []
        with take_out():
            found = simulate([Kind.GOOD], [run])
    assert invariant in {violation.invariant for violation in found}


def test_without_a_tombstone_a_cancelled_order_is_delivered() -> None:
    late_delivery: list[Action] = [Progress(2), Process(ORCHESTRATOR, fault=Fault.STOPPED), CancelOrder(0)]
    take_out, *_ = MUTANTS["an undone order that was never seen leaves no tombstone in deliveries"]
    with simulated(), take_out(), late_successes_kept():
        found = simulate([Kind.GOOD], [late_delivery])
    assert [violation.text for violation in found if violation.invariant == 3] == [
        "order 1 is CANCELLED with CANCEL_REQUESTED; holds stock: False, delivery: True"
    ]
