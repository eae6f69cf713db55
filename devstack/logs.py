"""``make logs``: the last lines of the parts' logs, for people, once or for as long as somebody looks."""

import re
import subprocess
import sys
from collections.abc import Sequence

from rich.console import Console

from devstack.errors import DevstackError
from devstack.log_lines import line_for_people
from devstack.processes import tail
from devstack.server import Server

_LINES = 20
_HEADER = re.compile(r"==> (.*) <==")
"""By which ``tail`` says whose lines follow."""


def print_logs(parts: Sequence[Server], console: Console, *, follow: bool) -> int:
    """Print the last lines of the logs of ``parts``, with ``follow`` also what is added; return the exit code.

    Raises:
        DevstackError: there are no logs yet.
    """
    chosen = {str(part.log): part.name for part in parts if part.log.exists()}
    if not chosen:
        raise DevstackError("there are no logs yet; make up starts the stack")
    if follow:
        return _follow(chosen, console)
    for part in parts:
        if str(part.log) in chosen:
            print(f"==> {part.log} <==")
            for line in tail(part.log, _LINES):
                _print(part.name, line, console)
            print()
    return 0


def _follow(names: dict[str, str], console: Console) -> int:
    command = ["tail", "-v", "-n", str(_LINES), "-F", *names]
    name = ""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, errors="replace") as following:
        assert following.stdout is not None  # noqa: S101 - it was asked for
        try:
            for line in following.stdout:
                if (found := _HEADER.fullmatch(line.rstrip("\n"))) and found[1] in names:
                    name = names[found[1]]
                elif line.strip():
                    _print(name, line.rstrip("\n"), console)
        finally:
            following.terminate()
    return following.returncode


def _print(name: str, line: str, console: Console) -> None:
    console.print(line_for_people(name, line), soft_wrap=True, highlight=False)
    sys.stdout.flush()
