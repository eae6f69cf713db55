"""One run of the simulation: orders, what happens to them, healing; and what was found wrong."""

import random
from collections.abc import Collection, Sequence
from itertools import chain

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.chaos.simulation import invariants
from tests.chaos.simulation.actions import Action
from tests.chaos.simulation.draws import KINDS, RUNS
from tests.chaos.simulation.healing import heal
from tests.chaos.simulation.invariants import Violation
from tests.chaos.simulation.world import Kind, World

_SERIES = 6
QUICK = settings(
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
"""For a search that ends with what it finds first, the same each time."""


class _Found(Exception):
    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations


def simulate(kinds: Sequence[Kind], runs: Sequence[Sequence[Action]]) -> list[Violation]:
    """Place an order of each of ``kinds``, let ``runs`` happen, heal, and return the invariants that do not hold."""
    random.seed(0)  # message ids and jitter are drawn, and are the same each time
    world = World()
    try:
        return _simulate(world, kinds, runs)
    finally:
        world.end()


def _simulate(world: World, kinds: Sequence[Kind], runs: Sequence[Sequence[Action]]) -> list[Violation]:
    watch = invariants.Watch()
    for kind in kinds:
        world.place([kind])
    for action in chain.from_iterable(runs):
        action(world)
        found = list(watch.look(world))
        if found:
            return found
    found = list(invariants.before_healing(world))
    if not heal(world):
        found.append(Violation(1, "it does not come to rest"))
    return found + list(invariants.after_healing(world))


def search(wanted: Collection[int], runs: int) -> list[Violation]:
    """Return what is wrong in the first run that breaks an invariant in ``wanted``; or nothing.

    It looks several times, at up to ``runs`` runs each: what one series draws may be much alike.
    """
    for series in range(_SERIES):

        @seed(series)
        @settings(QUICK, max_examples=runs)
        @given(KINDS, RUNS)
        def look(kinds: list[Kind], runs: list[list[Action]]) -> None:
            violations = simulate(kinds, runs)
            if any(violation.invariant in wanted for violation in violations):
                raise _Found(violations)

        try:
            look()
        except _Found as found:
            return found.violations
    return []
