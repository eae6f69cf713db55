"""The figures of all rounds, as a table for people and as JSON."""

import json
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Figures
from bench.machine import in_a_line, machine

Measured = Mapping[str, Sequence[Figures]]
"""By name of what was measured: the figures of each of its rounds."""
Summary = dict[str, dict[str, dict[str, float]]]
"""By name of what was measured and of its figure: ``median``, ``min`` and ``max`` of the rounds."""


def summary(measured: Measured) -> Summary:
    """Return the median, the minimum and the maximum of each figure."""
    return {
        name: {figure: _spread([one[figure] for one in rounds]) for figure in rounds[0]}
        for name, rounds in measured.items()
    }


def show(measured: Measured) -> None:
    """Print the table: each figure's median, minimum and maximum; and on what it was measured."""
    table = Table("measurement", "figure", "median", "min", "max", "rounds", caption=in_a_line(machine()))
    for name, figures in summary(measured).items():
        for place, (figure, spread) in enumerate(figures.items()):
            shown = [_number(spread[one]) for one in ("median", "min", "max")]
            table.add_row(name if place == 0 else "", figure, *shown, str(len(measured[name])))
        table.add_section()
    Console(width=120).print(table)


def save(measured: Measured, left_out: Mapping[str, str], path: Path) -> None:
    """Write every round's figures, with the machine's shape, and why what is missing was left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "time": datetime.now(UTC).isoformat(),
        "machine": machine(),
        "summary": summary(measured),
        "rounds": measured,
        "left_out": left_out,
    }
    path.write_text(json.dumps(content, indent=2) + "\n")


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def _number(value: float) -> str:
    if value >= 100:  # noqa: PLR2004 - three digits are enough
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"  # noqa: PLR2004 - the same
