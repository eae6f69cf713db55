"""The figures of all rounds, as a table for people and as JSON."""

import json
import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from bench.rig import Figures

Rounds = Mapping[str, Sequence[Figures]]
"""By name of the measurement: what each of its rounds measured."""


def machine() -> dict[str, object]:
    """Return the machine's shape."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return {
        "cores": os.cpu_count(),
        "processor": names[0] if names else platform.processor(),
        "memory_bytes": psutil.virtual_memory().total,
        "python": platform.python_version(),
        "system": platform.platform(),
    }


def show(rounds: Rounds) -> None:
    """Print the table: each figure's median, minimum and maximum."""
    table = Table("measurement", "figure", "median", "min", "max", "rounds")
    for name, figures in rounds.items():
        for place, figure in enumerate(figures[0]):
            values = [one[figure] for one in figures]
            shown = [_number(value) for value in (statistics.median(values), min(values), max(values))]
            table.add_row(name if place == 0 else "", figure, *shown, str(len(values)))
        table.add_section()
    Console(width=120).print(table)


def save(rounds: Rounds, path: Path) -> None:
    """Write every round's figures, with the machine's shape."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"time": datetime.now(UTC).isoformat(), "machine": machine(), "rounds": rounds}
    path.write_text(json.dumps(content, indent=2) + "\n")


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _number(value: float) -> str:
    if value >= 100:  # noqa: PLR2004 - three digits are enough
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3f}"  # noqa: PLR2004 - the same
