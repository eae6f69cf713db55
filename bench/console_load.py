"""``make console-load``: the console on a million sagas while orders arrive, asked by a program and by a browser."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path

import click
import psutil
from playwright.sync_api import Browser

from bench import console_browser, console_pages
from bench.console_mix import Mix, mixed
from bench.console_pages import Pages
from bench.figures import Figures, times
from bench.load import Caller
from bench.plan import Plan
from bench.report import save, show
from bench.rig import PRICE, Rig, must_all_be_answered, rig
from devstack.console import Console

_SLICE_SECONDS = 5.0
_SETTLE_SECONDS = 10.0
_KEPT_OPEN = ("/", "/sagas")
_SAMPLES_A_MINUTE = 5
_MB = 1e6


@click.command()
@click.option("--sagas", default=1_000_000, show_default=True, type=click.IntRange(10_000), help="In the tables.")
@click.option("--rate", default=500.0, show_default=True, help="Orders that arrive each second.")
@click.option("--samples", default=40, show_default=True, type=click.IntRange(1), help="Of each page, each time.")
@click.option("--minutes", default=10, show_default=True, type=click.IntRange(1), help="How long two pages stay open.")
@click.option("--warm-up", default=30.0, show_default=True, help="Seconds of load before the tables are filled.")
@click.option("--json", "path", default=Path(".bench/console.json"), type=click.Path(path_type=Path), show_default=True)
def main(*, sagas: int, rate: float, samples: int, minutes: int, warm_up: float, path: Path) -> None:  # noqa: PLR0913 - a command has an argument for each of its options
    """Measure the console's pages, and a browser that shows them. Nothing else should run on the machine."""
    plan = Plan(1, minutes * 60.0, [sagas], 0, folder=path.parent)
    with rig(warm_up) as bench:
        mix = mixed(bench.stack, sagas, bench.products)
        with _console(bench) as console, _orders(bench, rate):
            time.sleep(_SETTLE_SECONDS)
            _measure(plan, console, mix, samples)
    show(plan.measured)
    save(plan.measured, plan.left_out, path)
    print(f"every round: {path}")


@contextmanager
def _console(bench: Rig) -> Iterator[Console]:
    console = bench.stack.console
    console.launch(bench.stack.console_asks)
    try:
        console.wait_ready()
        yield console
    finally:
        console.stop()


@contextmanager
def _orders(bench: Rig, rate: float) -> Iterator[None]:
    """Have ``rate`` orders arrive each second, from a process of its own, so that nobody waits for its measurements."""
    processes = multiprocessing.get_context("spawn")
    enough = processes.Event()
    placing = processes.Process(target=_place, args=(bench.caller.address, bench.products, rate, enough))
    placing.start()
    try:
        yield
        if not placing.is_alive():
            msg = f"the orders ended before the measurements, with exit code {placing.exitcode}"
            raise RuntimeError(msg)
    finally:
        enough.set()
        placing.join()


def _place(address: str, products: list[int], rate: float, enough: Event) -> None:
    caller = Caller([address], products, PRICE)
    while not enough.is_set():
        must_all_be_answered(caller.open(rate, _SLICE_SECONDS, watch_every=0))


def _measure(plan: Plan, console: Console, mix: Mix, samples: int) -> None:
    pages = Pages(console.url, mix)
    plan.keep("whole page from the server, nobody looking", console_pages.figures(pages.look(samples)))
    with console_browser.browser() as running:
        plan.keep("first contentful paint", _paints(running, console.url, mix, samples))
        _stay_open(plan, running, console, pages)
    pages.close()


def _paints(running: Browser, url: str, mix: Mix, count: int) -> Figures:
    shown = {"overview": "/", "sagas": "/sagas", "one saga": f"/sagas/{mix.all.orders[0]}"}
    context = running.new_context(base_url=url)
    found: Figures = {}
    for name, address in shown.items():
        found |= times(name, console_browser.first_paints(context, address, count), 50, 95)
    context.close()
    return found


def _stay_open(plan: Plan, running: Browser, console: Console, pages: Pages) -> None:
    """Keep two pages open, and note each minute what they hold; other pages are asked for meanwhile."""
    context = running.new_context(base_url=console.url)
    tabs = [context.new_page() for _ in _KEPT_OPEN]
    for tab, address in zip(tabs, _KEPT_OPEN, strict=True):
        tab.goto(address)
    taken: dict[str, list[float]] = {}
    for _ in range(int(plan.seconds // 60) + 1):
        began = time.monotonic()
        held = {
            f"script heap MB {name}": console_browser.heap(tab) / _MB
            for name, tab in zip(_KEPT_OPEN, tabs, strict=True)
        }
        held["renderers' memory MB"] = console_browser.renderers(running) / _MB
        held["console's memory MB"] = psutil.Process(console.pid).memory_info().rss / _MB
        held["load average of the machine"] = os.getloadavg()[0]
        plan.keep("two pages open", held)
        for name, seconds in pages.look(_SAMPLES_A_MINUTE).items():
            taken.setdefault(name, []).extend(seconds)
        tabs[0].wait_for_timeout(max(0.0, 60 - (time.monotonic() - began)) * 1000)
    plan.keep("whole page from the server, two pages open", console_pages.figures(taken))
    context.close()


if __name__ == "__main__":
    main()
