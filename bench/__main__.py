"""``make bench``: brings a stack up, warms it up, measures it in rounds, prints a table and writes JSON."""

from collections.abc import Sequence
from pathlib import Path

import click

from bench import backlog, batches, bulk, flames, ghz, growth, observing, replicas, security, steady
from bench.plan import Measurement, Plan
from bench.report import save, show
from bench.rig import rig

MEASUREMENTS: dict[str, Measurement] = {
    "closed": steady.closed,
    "idle": steady.idle,
    "half-load": steady.half_load,
    "bulk": bulk.measure,
    "ghz": ghz.measure,
    "replicas": replicas.measure,
    "security": security.measure,
    "observing": observing.measure,
    "batches": batches.measure,
    "backlog": backlog.measure,
    "growth": growth.measure,
    "flames": flames.draw,  # last: what is watched by a profiler is slow
}
"""Everything that can be measured, in the order in which it is."""
_SIZES = (10_000, 100_000, 1_000_000)


@click.command()
@click.option("--only", multiple=True, type=click.Choice(list(MEASUREMENTS)), help="Measure this; may be repeated.")
@click.option("--rounds", default=5, show_default=True, type=click.IntRange(1), help="Rounds of each measurement.")
@click.option("--seconds", default=10.0, show_default=True, help="How long each round places orders.")
@click.option("--warm-up", default=75.0, show_default=True, help="Seconds of load before the first round.")
@click.option("--size", "sizes", multiple=True, default=_SIZES, show_default=True, help="Growth: orders in the tables.")
@click.option("--backlog", "orders", default=100_000, show_default=True, help="Backlog: orders to work off.")
@click.option("--json", "path", default=Path(".bench/latest.json"), type=click.Path(path_type=Path), show_default=True)
def main(  # noqa: PLR0913 - a command has an argument for each of its options
    *, only: Sequence[str], rounds: int, seconds: float, warm_up: float, sizes: Sequence[int], orders: int, path: Path
) -> None:
    """Measure throughput, latency and costs. Nothing else should run on the machine."""
    plan = Plan(rounds, seconds, sorted(sizes), orders, folder=path.parent)
    with rig(warm_up) as bench:
        for name, measure in MEASUREMENTS.items():
            if not only or name in only:
                measure(bench, plan)
    show(plan.measured)
    save(plan.measured, plan.left_out, path)
    print(f"every round: {path}")


if __name__ == "__main__":
    main()
