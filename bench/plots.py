"""``python -m bench.plots``: draws throughput, latency and growth from the bench's JSON, for light and dark pages."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import click
import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report import Summary

MEASURED = Path("docs/performance/measured.json")
_WIDTH_INCHES = 7.6
_RATE = "completed orders/s"
_IN_TABLES = " orders in the tables"
_ONE_ORDER = "call to COMPLETED"


class Theme(NamedTuple):
    """The colours of a page."""

    text: str
    lines: str
    first: str
    second: str


THEMES = {
    "light": Theme(text="#1f2328", lines="#d1d9e0", first="#0b66c3", second="#b35900"),
    "dark": Theme(text="#f0f6fc", lines="#3d444d", first="#58a6ff", second="#f0a04b"),
}
"""By their names in ``prefers-color-scheme``. The two colours differ in lightness too, for those who see no hues."""

_RATES = {
    "64 callers": ("64 callers", _RATE),
    "256 callers": ("256 callers", _RATE),
    "256 callers of ghz": ("ghz, 256 callers", _RATE),
    "one stream of lists": ("one stream of CreateOrders", _RATE),
    "a backlog of 100,000": ("backlog of 100,000 orders", "worked off orders/s"),
}
_LOADS = {"idle": "idle", "1,000 arrivals/s": "1,000 arrivals/s", "half load": "half of the load of 256 callers"}
_TIMES = {
    "create, under load": "create p50 ms",
    "call to COMPLETED, idle": "idle, call to COMPLETED p50 ms",
    "ListOrders of a user": "ListOrders of a user p50 ms",
    "GetOrder": "GetOrder p50 ms",
}


def throughput(summary: Summary, theme: Theme) -> Figure:
    """Draw completed orders per second for each kind of load, with the least and the most of the rounds."""
    figure, (axes,) = _figure("Completed orders per second", 2.9)
    for place, (name, figure_name) in enumerate(_RATES.values()):
        _bar(axes, (place, 0.62), summary[name][figure_name], theme.first)
    _loads_downwards(axes, list(_RATES))
    return figure


def latency(summary: Summary, theme: Theme) -> Figure:
    """Draw how long an order takes from its call to its end, when idle and at two rates of arrivals."""
    figure, (axes,) = _figure("Milliseconds from the call to COMPLETED", 3.0)
    for place, name in enumerate(_LOADS.values()):
        for offset, percentile, colour in ((-0.2, 50, theme.first), (0.2, 99, theme.second)):
            _bar(axes, (place + offset, 0.34), summary[name][f"{_ONE_ORDER} p{percentile} ms"], colour)
    _loads_downwards(axes, [_with_rate(shown, summary[name]) for shown, name in _LOADS.items()])
    axes.legend(
        axes.containers[:2], ["median", "99 %"],
        frameon=False, ncols=2, loc="lower right", bbox_to_anchor=(1, 0.98), borderpad=0,
    )  # fmt: skip
    return figure


def growth(summary: Summary, theme: Theme) -> Figure:
    """Draw the rate, and the medians of single calls, by the number of orders in the tables."""
    sizes = sorted(int(name.removesuffix(_IN_TABLES).replace(",", "")) for name in summary if name.endswith(_IN_TABLES))
    figure, (rates, times) = _figure("Completed orders per second", 3.4, "Milliseconds, median")
    rates.plot(sizes, _medians(summary, sizes, _RATE), "o-", color=theme.first)
    rates.set_ylim(0, 1.15 * max(_medians(summary, sizes, _RATE)))
    rates.yaxis.set_major_formatter("{x:,.0f}")
    for label, name in _TIMES.items():
        values = _medians(summary, sizes, name)
        times.plot(sizes, values, "o-", color=theme.first)
        times.annotate(label, (sizes[-1], values[-1]), (8, 0), textcoords="offset points", va="center")
    times.set_yscale("log")
    times.set_ylim(0.5, 150)
    times.set_yticks([1, 10, 100], ["1", "10", "100"])
    for axes in (rates, times):
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.set_xlabel("orders in the tables")
        axes.minorticks_off()
    return figure


PLOTS = {"throughput": throughput, "latency": latency, "growth": growth}
"""What is drawn, by the files' names."""


def draw(path: Path, folder: Path) -> None:
    """Draw every plot of the bench's JSON in ``path`` into ``folder``, once for each theme."""
    summary = json.loads(path.read_text())["summary"]
    for mode, theme in THEMES.items():
        with _drawn_with(theme):
            for name, plot in PLOTS.items():
                plot(summary, theme).savefig(folder / f"{name}-{mode}.svg", metadata={"Date": None, "Creator": None})


@contextmanager
def _drawn_with(theme: Theme) -> Iterator[None]:
    with mpl.rc_context(
        {
            "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and copied
            "svg.hashsalt": "order-saga",  # the same figures give the same file
            "font.family": "sans-serif",
            "font.size": 9.5,
            "text.color": theme.text,
            "axes.edgecolor": theme.lines,
            "axes.labelcolor": theme.text,
            "axes.grid": True,
            "axes.axisbelow": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlelocation": "left",
            "axes.titlesize": "medium",
            "axes.titleweight": "bold",
            "grid.color": theme.lines,
            "xtick.color": theme.lines,
            "ytick.color": theme.lines,
            "xtick.labelcolor": theme.text,
            "ytick.labelcolor": theme.text,
            "savefig.transparent": True,  # the page's own background shows
        }
    ):
        yield


def _figure(title: str, height: float, *more_titles: str) -> tuple[Figure, Sequence[Axes]]:
    titles = (title, *more_titles)
    figure = Figure((_WIDTH_INCHES, height), layout="constrained")
    axes = [figure.add_subplot(1, len(titles), number) for number in range(1, len(titles) + 1)]
    for one, its_title in zip(axes, titles, strict=True):
        one.set_title(its_title)
    return figure, axes


def _bar(axes: Axes, place: tuple[float, float], spread: Mapping[str, float], colour: str) -> None:
    """Draw a bar to the median, a thin line from the least to the most, and the median as a number.

    Args:
        axes: where to draw.
        place: the bar's middle and its width.
        spread: what it shows.
        colour: the bar's.
    """
    median, least, most = (spread.get(name, spread["median"]) for name in ("median", "min", "max"))
    middle, width = place
    axes.barh(middle, median, width, color=colour)
    axes.plot([least, most], [middle, middle], color=mpl.rcParams["text.color"], linewidth=1)
    axes.annotate(f"{median:,g}", (most, middle), (5, 0), textcoords="offset points", va="center")


def _loads_downwards(axes: Axes, labels: Sequence[str]) -> None:
    axes.set_yticks(range(len(labels)), labels)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
    axes.margins(x=0.12)


def _with_rate(label: str, figures: Mapping[str, Mapping[str, float]]) -> str:
    rate = figures.get("arrivals/s", {}).get("median")
    return label if rate is None or "arrivals" in label else f"{label}: {rate:,.0f} arrivals/s"


def _medians(summary: Summary, sizes: Sequence[int], figure: str) -> list[float]:
    return [summary[f"{size:,}{_IN_TABLES}"][figure]["median"] for size in sizes]


@click.command()
@click.argument("path", default=MEASURED, type=click.Path(path_type=Path, exists=True))
@click.option("--into", "folder", default=MEASURED.parent, type=click.Path(path_type=Path), show_default=True)
def main(path: Path, folder: Path) -> None:
    """Draw the plots of docs/performance.md from PATH, which `make bench` has written."""
    folder.mkdir(parents=True, exist_ok=True)
    draw(path, folder)


if __name__ == "__main__":
    main()
