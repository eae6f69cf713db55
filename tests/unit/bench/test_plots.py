"""The plots of docs/performance.md: drawn from figures that the page reports, light and dark, and never stale."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from bench import plots
from bench.report import save
from tools.paths import ROOT

MEASURED = ROOT / plots.MEASURED
PAGE = (ROOT / "docs" / "performance.md").read_text()
FILES = {f"{name}-{theme}.svg" for name in plots.PLOTS for theme in plots.THEMES}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The plots of the committed figures, drawn anew: their text by the files' names."""
    folder = tmp_path_factory.mktemp("plots")
    result = CliRunner().invoke(plots.main, [str(MEASURED), "--into", str(folder)])
    assert result.exit_code == 0, result.output
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_each_plot_is_drawn_for_light_and_for_dark_pages(drawn: dict[str, str]) -> None:
    assert set(drawn) == FILES
    for name in plots.PLOTS:
        assert plots.THEMES["light"].text in drawn[f"{name}-light.svg"]
        assert plots.THEMES["dark"].text in drawn[f"{name}-dark.svg"]


def test_the_committed_plots_show_the_committed_figures(drawn: dict[str, str]) -> None:
    stale = {name for name, svg in drawn.items() if (MEASURED.parent / name).read_text() != svg}
    assert stale == set(), "run `python -m bench.plots`"


def test_the_page_shows_each_plot_in_the_readers_theme() -> None:
    for name in plots.PLOTS:
        assert f'<source media="(prefers-color-scheme: dark)" srcset="performance/{name}-dark.svg">' in PAGE
        assert f'src="performance/{name}-light.svg"' in PAGE


def test_the_page_reports_every_committed_figure() -> None:
    summary = json.loads(MEASURED.read_text())["summary"]
    medians = {spread["median"] for figures in summary.values() for spread in figures.values()}
    assert {median for median in medians if f"{median:,g}" not in PAGE} == set()


def test_whatever_the_bench_writes_can_be_drawn(tmp_path: Path) -> None:
    summary = json.loads(MEASURED.read_text())["summary"]
    rounds = {
        name: [{figure: spread["median"] * change for figure, spread in figures.items()} for change in (0.9, 1, 1.1)]
        for name, figures in summary.items()
    }
    save(rounds, {}, tmp_path / "latest.json")
    plots.draw(tmp_path / "latest.json", tmp_path)
    assert {path.name for path in tmp_path.glob("*.svg")} == FILES
    assert "2,890" in (tmp_path / "throughput-light.svg").read_text()
