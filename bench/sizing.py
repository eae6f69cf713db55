"""``python -m bench.sizing``: what a measured order costs makes the sizes of clusters that complete many more.

The model: each process takes the CPU for an order that it took where everything was measured, and nothing else limits
it (the utilization law, https://en.wikipedia.org/wiki/Utilization_law). A Python process has one core, as one thread
at a time has its interpreter; Kafka and PostgreSQL use as many as they get. Larger batches, which a busier cluster
would have, make an order cheaper; the network between machines makes nothing but latencies larger.
"""

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from bench.figures import Figures, Rounds
from devstack.services import NAMES

_COST = "CPU-s/1,000 "
_RATE = "completed orders/s"
_SERVERS = ("kafka", "postgres")
_BUSY = 0.7
"""Of its cores that a part is to use: beyond that queues grow faster than throughput."""
_COPIES = {"kafka": 3}
"""Replicas of what is written, each of which costs the same."""
_DAY = 86_400


@dataclass(frozen=True)
class Size:
    """What one part needs."""

    part: str
    processes: int
    """How many; of Kafka and PostgreSQL one, split it as you like."""
    cores: float
    """All its processes together, at the utilization it is to have."""


def sizes(figures: Mapping[str, float], rate: float) -> list[Size]:
    """Return what each part needs to complete ``rate`` orders a second, at the costs that ``figures`` say.

    A service that came after the measurement has no costs, and is left out.
    """
    found = []
    for part in (part for part in (*NAMES, *_SERVERS) if _COST + part in figures):
        cores = rate * figures[_COST + part] / 1000 * _COPIES.get(part, 1) / _BUSY
        found.append(Size(part, math.ceil(cores) if part in NAMES else 1, cores))
    return found


def used(figures: Mapping[str, float]) -> float:
    """Return how many cores were in use where ``figures`` were measured."""
    return figures[_RATE] * sum(value for name, value in figures.items() if _is_a_process(name)) / 1000


def predicted(known: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return the rate at ``other``'s costs on a machine that is as busy as it was when ``known`` was measured."""
    return used(known) / sum(value for name, value in other.items() if _is_a_process(name)) * 1000


def medians(rounds: Sequence[Figures]) -> Figures:
    """Return the median of each figure."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def _is_a_process(name: str) -> bool:
    """Say whether a figure is what a process costs, and not several together."""
    return name.startswith(_COST) and not name.endswith(("services", "PostgreSQL"))


def _rounds(path: Path) -> Rounds:
    """Return the rounds that `make bench` left in ``path``.

    Raises:
        ClickException: it left none there.
    """
    rounds: Rounds = json.loads(path.read_text()).get("rounds")
    if not rounds:
        raise click.ClickException(f"{path} has no single rounds; run `make bench` first, which writes them")
    return rounds


@click.command()
@click.option(
    "--rate", "rates", multiple=True, default=(10_000, 100_000), show_default=True, help="Orders/s to complete."
)
@click.option("--measured", default="256 callers", show_default=True, help="What the costs are taken from.")
@click.argument("path", default=Path(".bench/latest.json"), type=click.Path(path_type=Path, exists=True))
def main(rates: Sequence[float], measured: str, path: Path) -> None:
    """Size clusters by what `make bench` measured."""
    rounds = {name: medians(found) for name, found in _rounds(path).items()}
    if measured not in rounds:
        raise click.ClickException(f"{path} has no {measured!r}, only {', '.join(map(repr, rounds))}")
    figures = rounds[measured]
    for name in NAMES:
        if _COST + name not in figures:
            print(f"{name} is left out: it was not there when `make bench` measured")
    for rate in rates:
        table = Table("part", "processes", "cores", title=f"{rate:,.0f} orders/s")
        for size in sizes(figures, rate):
            table.add_row(size.part, str(size.processes), f"{size.cores:.1f}")
        Console(width=80).print(table)
        logged = rate * figures["write-ahead log bytes/order"] / 1e6
        log, copies = figures["Kafka log bytes/order"], _COPIES["kafka"]
        sent = rate * (figures["network bytes/order"] + log * (copies - 1)) / 1e6
        print(f"PostgreSQL logs {logged:,.0f} MB/s; the network carries {sent:,.0f} MB/s, Kafka's copies included")
        print(f"Kafka keeps {rate * log * copies * _DAY / 1e12:.1f} TB a day, {copies} replicas together")
    print(f"{used(figures):.2f} cores were in use")
    for name, other in rounds.items():
        if name != measured and _COST + "kafka" in other and _RATE in other:
            foretold = predicted(figures, other)
            error = 100 * (foretold / other[_RATE] - 1)
            print(f"{name}: {foretold:,.0f} orders/s foretold, {other[_RATE]:,.0f} measured, {error:+.0f} %")


if __name__ == "__main__":
    main()
