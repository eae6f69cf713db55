"""``ordersaga saga top``: a live view of the sagas under way; without a terminal, one look."""

import os
import select
import signal
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from ordersaga_cli import show
from ordersaga_cli.calls import orchestrator
from ordersaga_cli.line import Command, Failed, json_option
from ordersaga_cli.places import ORCHESTRATOR_SVC, service_option
from ordersaga_cli.saga_view import saga_table
from ordersaga_cli.snapshot import Snapshot, look
from ordersaga_cli.table import Column, print_table, table

_LOOK_SECONDS = 1.0
_KEY_SECONDS = 0.1
_COUNTS = ("status", Column("step", folds=True), "waiting", "retrying", "stuck")


@click.command(
    cls=Command,
    examples=["ordersaga saga top", "ordersaga saga top --json"],
    then="`ordersaga saga show ID` shows one saga with its history; `ordersaga saga retry --stuck` asks again.",
)
@json_option
@service_option(ORCHESTRATOR_SVC)
def top(*, as_json: bool, orchestrator_svc: str) -> None:
    """Sagas under way, live: counts by step, how fast sagas begin, and those that have waited longest.

    It looks once a second, until q or Ctrl-C. Where no terminal is, and with --json, it looks once.
    """
    first = _look(orchestrator_svc)
    if as_json:
        show.document(first.as_dict())
    elif not (sys.stdout.isatty() and sys.stdin.isatty()):
        print_once(first)
    else:
        _live(first, lambda: _look(orchestrator_svc))


def _look(address: str) -> Snapshot:
    with orchestrator(address) as sagas:
        return look(sagas)


def print_once(snapshot: Snapshot) -> None:
    """Print one look as text."""
    show.say(_head(snapshot))
    show.say("")
    print_table(_COUNTS, _counts(snapshot))
    if snapshot.longest:
        show.say("")
        print_table(*saga_table(snapshot.longest))


def _live(snapshot: Snapshot, look_again: Callable[[], Snapshot]) -> None:
    """Show ``snapshot``, and others, until q or Ctrl-C. A look that fails is told, and does not end it."""
    console = Console()
    try:
        with _keys() as ended, Live(console=console, screen=True, auto_refresh=False) as live:
            failure = ""
            while True:
                live.update(_picture(snapshot, failure, console), refresh=True)
                if ended(_LOOK_SECONDS):
                    return
                try:
                    snapshot, failure = look_again(), ""
                except Failed as failed:
                    failure = failed.message
    except KeyboardInterrupt:
        return


def _picture(snapshot: Snapshot, failure: str, console: Console) -> RenderableType:
    head = Text(_head(snapshot), "bold")
    told = Text(show.clean(failure), "bold red") if failure else Text("q or Ctrl-C ends", "dim")
    counts = table(_COUNTS, list(_counts(snapshot)), console.width)
    columns, rows = saga_table(snapshot.longest)
    longest = table(columns, list(rows), console.width) if snapshot.longest else Text("No saga waits.", "dim")
    return Group(head, told, Text(), counts, Text(), longest)


def _head(snapshot: Snapshot) -> str:
    at_least = "more than " if snapshot.more else ""
    stuck, retrying = snapshot.stuck.total(), snapshot.retrying.total()
    return (
        f"{snapshot.time:%H:%M:%S} UTC  {at_least}{snapshot.under_way} under way, {retrying} retrying, {stuck} stuck;"
        f" {snapshot.begun:.1f} begun/s"
    )


def _counts(snapshot: Snapshot) -> Iterator[tuple[object, ...]]:
    for place in snapshot.places:
        stuck = snapshot.stuck[place]
        shown = Text(str(stuck), "bold red" if stuck else "")
        yield (*place, snapshot.on_time[place], snapshot.retrying[place], shown)


@contextmanager
def _keys() -> Iterator[Callable[[float], bool]]:
    """Hear single keys without Enter: yield what waits so many seconds, and says whether the end was asked for.

    A first Ctrl-C is such a key and no KeyboardInterrupt, which would come in the midst of a call; a second one is.
    """
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    interrupts: list[int] = []

    def interrupted(number: int, _: object) -> None:
        if interrupts:
            raise KeyboardInterrupt
        interrupts.append(number)

    def ended(seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not interrupts and time.monotonic() < until:
            if select.select([terminal], [], [], _KEY_SECONDS)[0] and os.read(terminal, 1) in {b"q", b""}:
                return True  # q, or nothing, where the terminal is gone
        return bool(interrupts)

    handler = signal.signal(signal.SIGINT, interrupted)
    try:
        tty.setcbreak(terminal)
        yield ended
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        signal.signal(signal.SIGINT, handler)
