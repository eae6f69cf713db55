"""Tables: on a terminal as wide as that is, elsewhere one line for each row."""

import io
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import click
from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ordersaga_cli.show import clean

_WIDE = 1000
_GAP = 2
"""Between two columns."""
_FOLDED = 12
"""To how few characters a column that folds may shrink."""


@dataclass(frozen=True)
class Column:
    """A column, and what becomes of it on a narrow terminal."""

    name: str
    goes: int = 0
    """Columns are left out where there is too little room, first the one with the highest number; never one with 0."""
    folds: bool = False
    """Whether its text goes on in the next line where there is too little room."""


def print_table(columns: Sequence[Column | str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; it is fitted to the terminal, and coloured, on a terminal only. A name is a column that stays."""
    cells = list(rows)
    console = Console(file=sys.stdout)
    if console.is_terminal:
        console.print(table(columns, cells, console.width))
    else:
        wide = Console(file=io.StringIO(), width=_WIDE)
        with wide.capture() as captured:
            wide.print(table(columns, cells, _WIDE))
        click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
    if not cells:
        click.echo("There are none.", err=True)


def table(columns: Sequence[Column | str], rows: Sequence[Sequence[object]], room: int) -> RenderableType:
    """Return a table for ``room`` characters, with a line below it that names the columns that it has no room for."""
    known = [column if isinstance(column, Column) else Column(column) for column in columns]
    cells = [[cell if isinstance(cell, Text) else Text(clean(str(cell))) for cell in row] for row in rows]
    left_out = _left_out(known, cells, room)
    made = _made(known, cells, left_out)
    if not left_out:
        return made
    names = ", ".join(column.name for column in known if column in left_out)
    return Group(made, Text(f"Left out for want of room: {names}; --json has all.", "dim"))


def _left_out(columns: Sequence[Column], cells: Sequence[Sequence[Text]], room: int) -> set[Column]:
    """Return the columns that have to go, so that the others have room where those that fold are folded."""
    least = {column: _least(column, [row[place] for row in cells]) for place, column in enumerate(columns)}
    for column in sorted(columns, key=lambda column: -column.goes):
        if not column.goes or sum(least.values()) + _GAP * (len(least) - 1) <= room:
            break
        del least[column]
    return set(columns) - set(least)


def _least(column: Column, cells: Sequence[Text]) -> int:
    """Return how many characters a column needs at least."""
    width = max(cell_len(column.name), *(cell.cell_len for cell in cells), 0)
    return min(width, _FOLDED) if column.folds else width


def _made(columns: Sequence[Column], cells: Sequence[Sequence[Text]], left_out: set[Column]) -> Table:
    made = Table(box=None, pad_edge=False, header_style="bold")
    stay = [(place, column) for place, column in enumerate(columns) if column not in left_out]
    for place, column in stay:
        least = _least(column, [row[place] for row in cells])
        made.add_column(column.name, no_wrap=not column.folds, overflow="fold", min_width=least)
    for row in cells:
        made.add_row(*(row[place] for place, _ in stay))
    return made
