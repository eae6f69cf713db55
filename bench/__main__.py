"""``make bench``: brings a stack up, warms it up, measures it in rounds, prints a table and writes JSON."""

import statistics
import sys
from pathlib import Path

import click

from bench.report import save, show
from bench.rig import Figures, Rig, rig

_HALF = 0.5


@click.command()
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Rounds of each measurement.")
@click.option("--seconds", default=10.0, show_default=True, help="How long each round places orders.")
@click.option("--warm-up", default=75.0, show_default=True, help="Seconds of load before the first round.")
@click.option("--json", "path", default=Path(".bench/latest.json"), type=click.Path(path_type=Path), show_default=True)
def main(rounds: int, seconds: float, warm_up: float, path: Path) -> None:
    """Measure throughput, latency and costs. Nothing else should run on the machine."""
    measured: dict[str, list[Figures]] = {}
    with rig(warm_up) as bench:
        measured["64 callers"] = [_told("64 callers", bench.throughput(64, seconds)) for _ in range(rounds)]
        measured["256 callers"] = [_told("256 callers", bench.throughput(256, seconds)) for _ in range(rounds)]
        measured["idle"] = [_told("idle", bench.idle(seconds)) for _ in range(rounds)]
        measured["half of the load of 256 callers"] = _at_half(bench, measured["256 callers"], rounds, seconds)
    show(measured)
    save(measured, path)
    print(f"every round: {path}")


def _at_half(bench: Rig, full: list[Figures], rounds: int, seconds: float) -> list[Figures]:
    rate = statistics.median(figures["completed orders/s"] for figures in full) * _HALF
    return [_told("half load", bench.arrivals(rate, seconds)) for _ in range(rounds)]


def _told(name: str, figures: Figures) -> Figures:
    """Say how a round went while the others are still to come."""
    shown = ", ".join(f"{figure} {value:.1f}" for figure, value in list(figures.items())[:3])
    print(f"{name}: {shown}", file=sys.stderr)
    return figures


if __name__ == "__main__":
    main()
