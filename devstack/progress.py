"""Shows how the stack comes up: a live table on a terminal, plain lines elsewhere."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

READY = "ready"
_DOWNLOADING = "downloading"
_DOWNLOAD_SECONDS = 10.0
"""How long a log is silent between two lines about one part's download."""


class Board:
    """What each part is doing, and for how long."""

    def __init__(self, parts: Sequence[str], console: Console) -> None:
        """Show ``parts`` on ``console``, all of them waiting."""
        self._console = console
        self._began = time.monotonic()
        self._doing = dict.fromkeys(parts, "waiting")
        self._took: dict[str, float] = {}
        self._downloading_told: dict[str, float] = {}
        self._spinners = {part: Spinner("dots", style="cyan") for part in parts}
        self._lock = threading.Lock()

    def tell(self, part: str, doing: str) -> None:
        """Show that ``part`` is ``doing`` something; ``ready`` is the end."""
        with self._lock:
            # Another command, for which this one has waited, may have started parts that are new here.
            news = self._doing.get(part) != doing
            self._doing[part] = doing
            seconds = time.monotonic() - self._began
            if doing == READY:
                self._took[part] = seconds
            if news and not self._console.is_terminal and self._is_for_a_log(part, doing, seconds):
                self._console.print(f"{seconds:6.1f} s  {part:18} {doing}", highlight=False)

    def _is_for_a_log(self, part: str, doing: str, seconds: float) -> bool:
        """Say whether a log gets a line: of a download's many updates one now and then."""
        if not doing.startswith(_DOWNLOADING):
            return True
        if seconds - self._downloading_told.get(part, -_DOWNLOAD_SECONDS) < _DOWNLOAD_SECONDS:
            return False
        self._downloading_told[part] = seconds
        return True

    def __rich__(self) -> Table:
        """Draw it."""
        table = Table.grid(padding=(0, 2))
        for part, doing in self._doing.items():
            done = doing == READY
            mark = Text("✔", "bold green") if done else self._spinners[part]
            seconds = self._took.get(part, 0.0) if done else time.monotonic() - self._began
            table.add_row(mark, Text(part, "bold" if done else ""), Text(doing, "green" if done else "dim"),
                          Text(f"{seconds:5.1f} s", "dim"))  # fmt: skip
        return table


@contextmanager
def shown(parts: Sequence[str], console: Console) -> Iterator[Board]:
    """Show a board of ``parts`` while the body runs."""
    board = Board(parts, console)
    if console.is_terminal:
        with Live(board, console=console, refresh_per_second=8):
            yield board
    else:
        yield board
