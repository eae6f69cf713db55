"""What is to be measured, how long and how often, and what has been measured so far."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figures, Rounds
from bench.rig import Rig


@dataclass
class Plan:
    """One run of the measurements."""

    rounds: int
    """Of each measurement."""
    seconds: float
    """How long each round places orders."""
    sizes: Sequence[int]
    """Orders in the tables, from the fewest to the most, for the growth."""
    backlog: int
    """Orders to work off."""
    folder: Path
    """Where what is no figure goes: programs that were built, flame graphs."""
    measured: Rounds = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    """What could not be measured, and why."""

    def keep(self, name: str, figures: Figures) -> None:
        """Keep what one round measured, and say how it went while the others are still to come."""
        self.measured.setdefault(name, []).append(figures)
        shown = ", ".join(f"{figure} {value:.1f}" for figure, value in list(figures.items())[:3])
        print(f"{name}: {shown}", file=sys.stderr, flush=True)

    def leave_out(self, name: str, why: str) -> None:
        """Say that ``name`` is not measured, and why."""
        self.left_out[name] = why
        print(f"{name}: left out: {why}", file=sys.stderr, flush=True)


Measurement = Callable[[Rig, Plan], None]
"""Measures a running stack as the plan says, and keeps the figures in the plan."""
